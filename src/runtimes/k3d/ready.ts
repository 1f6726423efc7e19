import { containersNamed, inContainer } from '../../clients/docker-objects.js';
import { clusterKubeconfig } from '../../clients/k3d.js';
import { waitUntil } from '../../clients/wait.js';
import { ForgeError, serverError } from '../../errors.js';
import { whyNotReady } from './api.js';
import type { Work } from './cluster.js';
import { DATA_PATH } from './config.js';
import { apiPort } from './drift.js';
import { nodeImages } from './images.js';
import { accessOf, writeKubeconfig } from './kubeconfig.js';
import { nodeName } from './name.js';
import { hasLostK3s, notReady } from './node.js';

/** Folders of the data volume, one for each server that keeps something. */
const DATA_FOLDERS = ['kafka', 'postgresql', 'risingwave', 'flink', 'iceberg-rest'];

/** For so long a node that could be asked is taken to live, with the same certificates. */
const TRUSTED_MS = 2000;

/**
 * Waits until the API answers the kubeconfig in .forge, which is written, and the node is ready; or, with `takes images`, until
 * the kubeconfig is written and images can be brought into the node.
 */
export async function awaitCluster(
  name: string,
  seconds: number,
  { stack: { workspace }, env, signal, progress }: Work,
  until: 'takes images' | 'ready' = 'ready',
): Promise<void> {
  let why: string | undefined = 'its API does not answer yet';
  const currentKubeconfig = async (): Promise<string | undefined> => {
    try {
      return await clusterKubeconfig(name, { env, signal });
    } catch (error) {
      if (error instanceof ForgeError && error.code === 'K3D_FAILED') return undefined;
      throw error;
    }
  };
  // Programs cost a node that starts more than the question to its API.
  let reached: { at: number; ask: () => Promise<string | undefined> } | undefined;
  const look = async (): Promise<string | undefined> => {
    if (reached !== undefined && performance.now() - reached.at < TRUSTED_MS) {
      const stillNot = await reached.ask();
      if (stillNot !== undefined) return stillNot;
    }
    const [node] = await containersNamed([nodeName(name)], { signal });
    if (node === undefined || node.status === 'exited' || node.status === 'dead') throw await notReady(name, 'its node has ended', signal);
    if (await hasLostK3s(node, signal)) throw await notReady(name, 'Kubernetes has ended in its node', signal);
    const kubeconfig = await currentKubeconfig();
    if (kubeconfig === undefined) return 'it has no kubeconfig yet';
    await writeKubeconfig(workspace, kubeconfig);
    const access = await accessOf(kubeconfig, name, apiPort(node));
    if (access === undefined) return 'its kubeconfig leads elsewhere';
    const ask = (): Promise<string | undefined> => whyNotReady(access, node.name, node.startedAt, signal);
    reached = { at: performance.now(), ask };
    // k3s writes it anew while it starts.
    return (await ask()) ?? ((await currentKubeconfig()) === kubeconfig ? undefined : 'it has a new kubeconfig');
  };
  const ready = async (): Promise<boolean> => {
    why = await look();
    if (why !== undefined && until === 'takes images' && reached !== undefined) {
      const takes = await nodeImages(name, { signal }).then(
        () => true,
        () => false,
      );
      signal.throwIfAborted();
      if (takes) return true;
    }
    if (why !== undefined) progress(`waiting for the cluster: ${why}`);
    return why === undefined;
  };
  try {
    await waitUntil(ready, { what: `the cluster ${name}`, signal, timeoutMs: seconds * 1000, everyMs: 100 });
  } catch (error) {
    if (error instanceof ForgeError && error.code === 'TIMED_OUT') throw await notReady(name, `after ${seconds} s ${why}`, signal);
    throw error;
  }
}

/** The data folders that are not there yet; the node has to run. */
export async function missingFolders(name: string, signal: AbortSignal): Promise<string[]> {
  const script = 'for d in "$@"; do [ -d "$d" ] || echo "$d"; done; echo .';
  const text = await inContainer(nodeName(name), ['sh', '-c', script, 'sh', ...DATA_FOLDERS.map((one) => `${DATA_PATH}/${one}`)], {
    signal,
  });
  const lines = text.trim().split('\n');
  if (lines.at(-1) !== '.')
    throw serverError({
      code: 'NODE_UNCLEAR',
      message: `The node of ${name} does not tell its folders: ${text.slice(0, 200)}`,
      hint: 'Run the same command again',
    });
  return lines.slice(0, -1);
}

/** Every server writes as a user of its own. */
export async function makeFolders(name: string, folders: readonly string[], signal: AbortSignal): Promise<void> {
  if (folders.length > 0) await inContainer(nodeName(name), ['mkdir', '-p', '-m', '0777', ...folders], { signal });
}
