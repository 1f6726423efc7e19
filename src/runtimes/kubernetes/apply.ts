import path from 'node:path';
import { isKubeError, nameOf, refOf, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { waitUntil } from '../../clients/wait.js';
import { ensureDir, writeFileAtomic } from '../../workspace/atomic.js';
import type { Workspace } from '../../workspace/workspace.js';
import { conflictError, isByHand, readConflicts } from './conflict.js';
import { requireSameCluster } from './identity.js';
import { clearer, inspect, type Inspection } from './inspect.js';
import { hasPods, manifestLabel } from './labels.js';
import { takenNodePort } from './node-port.js';
import { forgetListings, leftoversOf, ownedObjects } from './owned.js';
import { awaitGone, deleteObjects } from './remove.js';
import { withSettingsElsewhere } from './settings.js';
import { manifestText, type Manifest } from './render.js';

export interface ApplyContext {
  client: KubeClient;
  workspace: Workspace;
  signal?: AbortSignal | undefined;
  progress?: (text: string) => void;
  /** Take fields over that another manager holds. */
  force?: boolean;
}

/** A manifest as it stands in the cluster. */
export interface ManifestState {
  inspections: Inspection[];
  /** What the manifest once had. */
  leftovers: KubeObject[];
}

/** Compares every object of a manifest with the cluster; changes nothing. */
export async function inspectManifest(client: KubeClient, manifest: Manifest, signal?: AbortSignal): Promise<ManifestState> {
  const { objects, owner, file } = await withSettingsElsewhere(client, manifest, signal);
  const bringsKinds = objects.some(({ kind }) => kind === 'CustomResourceDefinition');
  const [owned, ...inspections] = await Promise.all([
    ownedObjects(client, owner.workspace, bringsKinds ? [] : objects, signal),
    ...objects.map((object) => inspect(client, object, owner, { signal })),
  ]);
  return { inspections, leftovers: leftoversOf(owned, manifestLabel(file), objects) };
}

/**
 * Makes the cluster agree with a manifest: namespaces and new kinds first, then what the manifest no longer has goes, then
 * settings and services, then what runs pods. Gives what was done, in words.
 * @throws ForgeError CLUSTER_CHANGED, FIELD_CONFLICT and those of `inspect`, before anything is changed
 */
export async function applyManifest(manifest: Manifest, context: ApplyContext): Promise<string[]> {
  const { client, workspace, signal, force = false } = context;
  await requireSameCluster(workspace, client, { keep: true, ...(signal === undefined ? {} : { signal }) });
  await writeGenerated(await withSettingsElsewhere(client, manifest, signal), workspace);
  const seen = await inspectManifest(client, manifest, signal);
  for (const { object, conflicts } of seen.inspections) {
    const held = force ? [] : conflicts.filter((conflict) => !isByHand(conflict));
    if (held.length > 0) throw conflictError(object, held, manifest.file);
  }
  const apply = (group: Inspection[]): Promise<string[]> =>
    Promise.all(group.filter(({ plan }) => plan !== 'none').map((one) => applyOne(one, manifest, context))).finally(() =>
      forgetListings(client),
    );

  const first = seen.inspections.filter(isFirst);
  const done = await apply(first);
  // What was in a namespace that was on its way out is gone with it by now.
  const { inspections, leftovers } = first.some(({ leaving }) => leaving) ? await inspectManifest(client, manifest, signal) : seen;
  await deleteObjects(client, leftovers, { signal, ...(context.progress ? { note: context.progress } : {}) });
  done.push(...leftovers.map((object) => `${nameOf(refOf(object))} deleted, the manifest has it no more`));
  const rest = inspections.filter((one) => !isFirst(one));
  done.push(...(await apply(rest.filter(({ object }) => !hasPods(object)))));
  done.push(...(await apply(rest.filter(({ object }) => hasPods(object)))));
  return done;
}

/** What the others stand on. */
const isFirst = ({ object }: Inspection): boolean => ['Namespace', 'CustomResourceDefinition'].includes(object.kind);

async function applyOne(inspection: Inspection, manifest: Manifest, context: ApplyContext): Promise<string> {
  const { object, plan, live, leaving, conflicts, why } = inspection;
  const { client, signal, progress } = context;
  const name = nameOf(refOf(object));
  const options = { signal, ...(progress ? { note: progress } : {}) };
  progress?.(`Applying ${name}`);
  if (plan === 'recreate' && live !== undefined) await deleteObjects(client, [live], options);
  if (leaving === true) {
    const old = await client.get(refOf(object), { signal });
    if (old?.metadata.deletionTimestamp !== undefined) await awaitGone(client, old, options);
  }
  try {
    await client.serverSideApply(object, { force: conflicts.length > 0, signal });
  } catch (error) {
    const held = readConflicts(error);
    if (held !== undefined) throw conflictError(object, held, manifest.file);
    const taken = isKubeError(error, 422) ? await takenNodePort(client, object, error, manifest.owner, signal) : undefined;
    throw taken?.error ?? clearer(error, object);
  }
  if (object.kind === 'CustomResourceDefinition') await awaitEstablished(client, object, signal);
  if (plan === 'recreate') return `${name} deleted and made anew: ${why ?? 'it cannot be changed in place'}${volumesNote(object)}`;
  if (plan === 'create') return `${name} created`;
  const by = [...new Set(conflicts.map(({ manager }) => manager))].filter((manager) => !manager.startsWith('forge'));
  return `${name} changed${by.length === 0 ? '' : ` (taken back from ${by.join(', ')})`}`;
}

const volumesNote = (object: KubeObject): string =>
  object.kind === 'StatefulSet' && (object['spec'] as { volumeClaimTemplates?: unknown[] }).volumeClaimTemplates?.length
    ? '; its volumes stay as they are'
    : '';

interface Crd extends KubeObject {
  status?: { conditions?: { type: string; status: string }[] };
}

async function awaitEstablished(client: KubeClient, object: KubeObject, signal?: AbortSignal): Promise<void> {
  const holds = async (): Promise<boolean> => {
    const crd = await client.get<Crd>(refOf(object), { signal });
    return crd?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false;
  };
  await waitUntil(holds, { what: `${nameOf(refOf(object))} to be established`, signal });
}

/** Where the text of a manifest is kept as it was applied. */
export const generatedFile = ({ generated }: Workspace, file: string): string => path.join(generated, 'manifests', file);

async function writeGenerated(manifest: Manifest, workspace: Workspace): Promise<void> {
  const file = generatedFile(workspace, manifest.file);
  await ensureDir(path.dirname(file), 0o700);
  await writeFileAtomic(file, await manifestText(manifest), { mode: 0o600 });
}
