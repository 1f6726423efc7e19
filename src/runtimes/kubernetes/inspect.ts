import { isKubeError, nameOf, refOf, type KubeClient, type KubeError, type KubeObject } from '../../clients/kubernetes.js';
import { serverError, usageError, type ForgeError } from '../../errors.js';
import { conflictsOf, type Conflict } from './conflict.js';
import { fieldDifferences, type FieldDifference } from './diff.js';
import { jobPlan } from './job.js';
import { isOwn, MANAGED_BY, WORKSPACE, type Ownership } from './labels.js';
import { takenNodePort } from './node-port.js';

/** What has to be done with one object, and why. */
export interface Inspection {
  object: KubeObject;
  plan: 'none' | 'create' | 'apply' | 'recreate';
  /** Undefined when there is none, or when it is on its way out. */
  live?: KubeObject | undefined;
  /** Is being deleted: it has to be gone before another one of its name can be made. */
  leaving?: boolean;
  diff: FieldDifference[];
  conflicts: Conflict[];
  /** Why it has to be made anew. */
  why?: string;
}

/** What is kept in these would be lost with them. */
const NEVER_RECREATED = new Set(['PersistentVolumeClaim', 'PersistentVolume', 'Namespace', 'CustomResourceDefinition']);

/**
 * Compares an object with the live one by a dry run, which also validates it strictly. Changes nothing.
 * @throws ForgeError OBJECT_NOT_OURS, OBJECT_INVALID, IMMUTABLE, NODE_PORT_TAKEN (exit 4), KubeError
 */
export async function inspect(
  client: KubeClient,
  object: KubeObject,
  owner: Ownership,
  { signal, since }: { signal?: AbortSignal | undefined; since?: number } = {},
): Promise<Inspection> {
  const live = await client.get(refOf(object), { signal });
  const work: Work = { client, object, owner, signal };
  const base = { object, live, diff: [], conflicts: [] };
  if (live === undefined || live.metadata.deletionTimestamp !== undefined) {
    await checkCreation(work);
    return { ...base, live: undefined, plan: 'create', ...(live === undefined ? {} : { leaving: true }) };
  }
  if (!isOwn(live, owner.workspace)) {
    // A namespace can be shared; forge will not delete it either.
    if (object.kind === 'Namespace') return { ...base, plan: 'none' };
    throw notOurs(live);
  }
  if (object.kind === 'Job') return { ...base, ...(await jobPlan(client, object, live, { signal, since })) };
  return { ...base, ...(await comparison(work, live)) };
}

/** The parts of an inspection that stay the same while one object is looked at. */
interface Work {
  client: KubeClient;
  object: KubeObject;
  owner: Ownership;
  signal: AbortSignal | undefined;
}
type Compared = Pick<Inspection, 'plan' | 'diff' | 'conflicts' | 'why'>;

async function comparison(work: Work, live: KubeObject): Promise<Compared> {
  const { client, object, signal } = work;
  let wanted: KubeObject;
  try {
    wanted = await client.serverSideApply(object, { dryRun: true, force: true, signal });
  } catch (error) {
    if (!isKubeError(error, 422)) throw clearer(error, object);
    return refusedChange(work, live, error);
  }
  const diff = fieldDifferences(live, wanted);
  if (diff.length === 0) return { plan: 'none', diff, conflicts: [] };
  return { plan: 'apply', diff, conflicts: await conflictsOf(client, object, signal) };
}

/**
 * The server takes no such change. When it would take the object under another name, the object is valid and it is the change
 * that cannot be made; this also shows what it would be, with all defaults.
 */
async function refusedChange(work: Work, live: KubeObject, refused: KubeError): Promise<Compared> {
  const { client, object, owner, signal } = work;
  const causes = refused.causes.map(({ field = '', message = '' }) => ({ field, is: 'as it was made', should: message }));
  const taken = await takenNodePort(client, object, refused, owner, signal);
  if (taken?.byOwn) return { plan: 'apply', diff: causes, conflicts: [] };
  if (taken !== undefined) throw taken.error;
  let diff: FieldDifference[] = causes;
  try {
    const name = `forge-check-${live.metadata.uid?.slice(0, 8) ?? ''}`;
    const other = { ...object, metadata: { ...object.metadata, name } };
    diff = fieldDifferences(live, await client.serverSideApply(other, { dryRun: true, signal }));
  } catch (error) {
    const isPlain = refused.causes.length > 0 && refused.causes.every(({ message }) => /immutable|may not change/.test(message ?? ''));
    if (!isPlain) throw clearer(isKubeError(error) ? refused : error, object);
  }
  const fields = [...new Set(diff.map(({ field }) => field))].join(', ');
  if (!NEVER_RECREATED.has(object.kind)) return { plan: 'recreate', diff, conflicts: [], why: `${fields} cannot be changed in place` };
  throw serverError({
    code: 'IMMUTABLE',
    message: `${nameOf(refOf(object))} cannot be changed as configured (${fields}), and forge does not delete it, because its data would be lost`,
    hint: 'Take the setting back; or save the data, run `forge down`, and then `forge up`',
    cause: refused,
  });
}

/** Dry run of what is not there yet, so that mistakes show before anything is changed. */
async function checkCreation({ client, object, owner, signal }: Work): Promise<void> {
  try {
    await client.serverSideApply(object, { dryRun: true, force: true, signal });
  } catch (error) {
    // Its namespace or its kind is still to come, or is just being deleted.
    if (isKubeError(error, 404) || (isKubeError(error, 403) && /being terminated/.test(error.message))) return;
    const taken = isKubeError(error, 422) ? await takenNodePort(client, object, error, owner, signal) : undefined;
    if (taken?.byOwn) return;
    throw taken?.error ?? clearer(error, object);
  }
}

/** Mistakes in a manifest are the manifest's, not the server's. */
export function clearer(error: unknown, object: KubeObject): unknown {
  if (!isKubeError(error, 400, 422, 500)) return error;
  const isMistake = error.status !== 500 || /failed to (create typed|convert)/.test(error.message);
  if (!isMistake) return error;
  const said = error.message.replace(/^.*?\(\d+\): /s, '').replace(/^failed to create typed patch object \([^)]*\): /, '');
  return usageError({
    code: 'OBJECT_INVALID',
    message: `Kubernetes does not take ${nameOf(refOf(object))}: ${said}`,
    hint: 'Correct the manifest, or the value in forge.yaml that is filled in there',
    cause: error,
  });
}

function notOurs(live: KubeObject): ForgeError {
  const { labels = {}, annotations = {} } = live.metadata;
  const other = labels[WORKSPACE];
  const by =
    annotations['meta.helm.sh/release-name'] === undefined
      ? labels[MANAGED_BY]
      : `Helm, release ${annotations['meta.helm.sh/release-name']}`;
  const whose = other === undefined ? (by === undefined ? '' : ` (managed by ${by})`) : ` (another workspace of forge: ${other})`;
  return serverError({
    code: 'OBJECT_NOT_OURS',
    message: `${nameOf(refOf(live))} is there already, and this workspace did not make it${whose}`,
    hint: 'Delete it if nobody needs it, or name another cluster (--context NAME); forge touches nothing that it did not make',
  });
}
