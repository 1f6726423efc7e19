import type { KubeObject } from '../../clients/kubernetes-types.js';
import type { StackContext } from '../../workspace/context.js';

export const MANAGED_BY = 'app.kubernetes.io/managed-by';
export const WORKSPACE = 'forge.dev/workspace';
const STACK = 'forge.dev/stack';
export const MANIFEST = 'forge.dev/manifest';
/** Of a Job: what it was made from. The server fills in so much of a Job that it cannot be compared. */
export const HASH = 'forge.dev/hash';
/** Of a pod: the settings that it was started with, so that it is started anew with others. */
export const CONFIG = 'forge.dev/config';
/** The same, of settings that come with other manifests. */
export const CONFIG_ELSEWHERE = 'forge.dev/config-elsewhere';

/** Whose an object is. */
export interface Ownership {
  workspace: string;
  stack: string;
  /** File below manifests/. */
  manifest: string;
}

export const ownershipOf = ({ workspace, stack }: Pick<StackContext, 'workspace' | 'stack'>, manifest: string): Ownership => ({
  workspace: workspace.id,
  stack,
  manifest,
});

/** `kafka/kafka.yaml` as a label: `kafka.kafka.yaml`. */
export const manifestLabel = (file: string): string => file.replaceAll('/', '.');

const common = ({ workspace, stack }: Ownership): Record<string, string> => ({
  [MANAGED_BY]: 'forge',
  [WORKSPACE]: workspace,
  [STACK]: stack,
});

/** On everything that is applied; what a workload makes (pods, claims) carries them too. */
export const ownLabels = (owner: Ownership): Record<string, string> => ({ ...common(owner), [MANIFEST]: manifestLabel(owner.manifest) });

/** Finds all objects of a workspace. */
export const workspaceSelector = (workspace: string): string => `${MANAGED_BY}=forge,${WORKSPACE}=${workspace}`;

/** Whether forge made the object for this workspace. */
export function isOwn({ metadata: { labels = {} } }: KubeObject, workspace: string): boolean {
  return labels[MANAGED_BY] === 'forge' && labels[WORKSPACE] === workspace;
}

export const manifestOf = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[MANIFEST];

type Labelled = { metadata?: { labels?: Record<string, string> } };

/**
 * The same object with forge's labels. Pods do not get the manifest's: they are no objects of the manifest. A Service leads to the
 * workspace's own pods only: others in its namespace may have the same names.
 */
export function withLabels(object: KubeObject, owner: Ownership): KubeObject {
  const labelled: KubeObject = structuredClone(object);
  const spec = labelled['spec'] as { template?: Labelled; jobTemplate?: Labelled & { spec?: { template?: Labelled } } } | undefined;
  const claims = (labelled['spec'] as { volumeClaimTemplates?: Labelled[] } | undefined)?.volumeClaimTemplates;
  add(labelled, ownLabels(owner));
  const { selector } = (labelled['spec'] ?? {}) as { selector?: Record<string, string> | null };
  if (labelled.kind === 'Service' && selector) selector[WORKSPACE] = owner.workspace;
  if (!hasPods(labelled)) return labelled;
  for (const pods of [spec?.template, spec?.jobTemplate, spec?.jobTemplate?.spec?.template])
    if (pods !== undefined) add(pods, common(owner));
  for (const claim of claims ?? []) add(claim, ownLabels(owner));
  return labelled;
}

function add(to: Labelled, labels: Record<string, string>): void {
  to.metadata = { ...to.metadata, labels: { ...to.metadata?.labels, ...labels } };
}

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod']);

/** Whether the object runs pods: it comes after what the pods need. */
export const hasPods = ({ kind, apiVersion }: Pick<KubeObject, 'kind' | 'apiVersion'>): boolean =>
  WORKLOADS.has(kind) && /^(v1|apps\/v1|batch\/v1)$/.test(apiVersion);
