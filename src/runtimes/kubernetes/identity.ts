import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { isKubeError, type KubeClient } from '../../clients/kubernetes.js';
import { lackingError } from '../../errors.js';
import { ensureDir, writeFileAtomic } from '../../workspace/atomic.js';
import type { Workspace } from '../../workspace/workspace.js';

/** By context: the uid of the namespace kube-system, which lives as long as its cluster. */
type Kept = Record<string, string>;

const fileOf = ({ run }: Pick<Workspace, 'run'>): string => path.join(run, 'cluster.json');

/** Which cluster this is, wherever its address leads. */
export async function clusterIdentity(client: KubeClient, signal?: AbortSignal): Promise<string> {
  try {
    const system = await client.get({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' }, { signal });
    if (system?.metadata.uid !== undefined) return system.metadata.uid;
  } catch (error) {
    // A user with few rights may not look at it: then the certificate in the kubeconfig has to do.
    if (!isKubeError(error, 403)) throw error;
  }
  const cluster = (await client.kubeConfig()).getCurrentCluster();
  return `ca:${createHash('sha256')
    .update(`${cluster?.server ?? ''}\0${cluster?.caData ?? ''}`)
    .digest('hex')
    .slice(0, 32)}`;
}

/** Remembers the cluster behind the context as the one that is used from now on. */
export async function keepIdentity(workspace: Workspace, client: KubeClient, signal?: AbortSignal): Promise<void> {
  await write(workspace, { ...(await read(workspace)), [client.target.context]: await clusterIdentity(client, signal) });
}

/** Forgets the cluster of a context, because forge is about to delete it or has just made another one. */
export async function resetIdentity(workspace: Workspace, context: string): Promise<void> {
  const { [context]: _, ...rest } = await read(workspace);
  if (Object.keys(rest).length === 0) await rm(fileOf(workspace), { force: true });
  else await write(workspace, rest);
}

/**
 * Before every change: the context has to lead to the cluster that was used before. The first one is remembered with `keep`.
 * @throws ForgeError CLUSTER_CHANGED (exit 3)
 */
export async function requireSameCluster(
  workspace: Workspace,
  client: KubeClient,
  { keep, signal }: { keep: boolean; signal?: AbortSignal },
): Promise<void> {
  const { context } = client.target;
  const kept = (await read(workspace))[context];
  const found = await clusterIdentity(client, signal);
  if (kept === undefined && keep) await write(workspace, { ...(await read(workspace)), [context]: found });
  if (kept === undefined || kept === found) return;
  throw lackingError({
    code: 'CLUSTER_CHANGED',
    message: `Context ${context} leads to another cluster than before (${client.server}, ${found}; it was ${kept}): nothing was changed in it`,
    hint: `Point the context to the cluster of before; or, to start anew in this one, delete ${fileOf(workspace)} and run \`forge up\``,
  });
}

async function read(workspace: Workspace): Promise<Kept> {
  try {
    const parsed: unknown = JSON.parse(await readFile(fileOf(workspace), 'utf8'));
    if (typeof parsed === 'object' && parsed !== null) return parsed as Kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw lackingError({
    code: 'STATE_DAMAGED',
    message: `${fileOf(workspace)} is damaged, so that the cluster cannot be recognised`,
    hint: 'Delete the file if the context leads to the right cluster, then run the same command again',
  });
}

async function write(workspace: Workspace, kept: Kept): Promise<void> {
  await ensureDir(workspace.run, 0o700);
  await writeFileAtomic(fileOf(workspace), `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600 });
}
