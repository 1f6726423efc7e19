import { isKubeError, nameOf, refOf, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { serverError, type ForgeError } from '../../errors.js';

/** A field that the manifest sets and that another manager holds with another value. */
export interface Conflict {
  /** `spec.replicas`, `spec.ports[9092/TCP].port` */
  field: string;
  manager: string;
  /** Update: by a request that changed it; Apply: by a tool that declares it, as forge does. */
  operation: 'Apply' | 'Update';
}

/** Programs by which people change single objects. What they changed is drift; what a controller or another tool holds is not forge's to take. */
const BY_HAND = /^(kubectl(-.*)?|k9s|lens|openlens|freelens|headlamp|kubernetes-dashboard|dashboard-api|node-fetch|mozilla|forge.*)$/i;

export const isByHand = ({ manager, operation }: Conflict): boolean => operation === 'Update' && BY_HAND.test(manager);

/** The fields of the object that an apply would have to take from other managers. */
export async function conflictsOf(client: KubeClient, object: KubeObject, signal?: AbortSignal): Promise<Conflict[]> {
  try {
    await client.serverSideApply(object, { dryRun: true, signal });
    return [];
  } catch (error) {
    const conflicts = readConflicts(error);
    if (conflicts === undefined) throw error;
    return conflicts;
  }
}

/** What the API server says of them; undefined for another error. */
export function readConflicts(error: unknown): Conflict[] | undefined {
  if (!isKubeError(error, 409)) return undefined;
  const causes = error.causes.filter(({ reason }) => reason === 'FieldManagerConflict');
  if (causes.length === 0) return undefined;
  // conflict with "kubectl-edit" using apps/v1 at 2026-01-01T00:00:00Z: only requests that are no applies have a version.
  return causes.map(({ field = '', message = '' }) => ({
    field: asPath(field),
    manager: /conflict with "([^"]*)"/.exec(message)?.[1] ?? message,
    operation: / using /.test(message) ? 'Update' : 'Apply',
  }));
}

/** `.spec.ports[port=80,protocol="TCP"].name` in the form in which differences are told. */
const asPath = (field: string): string =>
  field.replace(/^\./, '').replace(/\[([^\]]*=[^\]]*)\]/g, (_, keys: string) => {
    const parts = [...keys.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, name = '', value = '']) => [
      name,
      value.replace(/^"|"$/g, ''),
    ]);
    const named = parts.find(([name]) => name === 'name')?.[1];
    return `[${named ?? parts.map(([, value]) => value).join('/')}]`;
  });

/** The error for fields that another manager holds: forge does not take them by itself. */
export function conflictError(object: KubeObject, conflicts: Conflict[], manifest: string): ForgeError {
  const managers = [...new Set(conflicts.map(({ manager }) => manager))];
  const fields = managers.map((manager) => {
    const held = conflicts.filter((one) => one.manager === manager).map(({ field }) => field);
    return `${manager} holds ${held.join(', ')}`;
  });
  return serverError({
    code: 'FIELD_CONFLICT',
    message: `${nameOf(refOf(object))} is managed by somebody else too: ${fields.join('; ')}`,
    hint: `Let ${managers.join(' and ')} give up these fields; or take them over: kubectl apply --server-side --force-conflicts --field-manager=forge -f .forge/generated/manifests/${manifest}`,
  });
}
