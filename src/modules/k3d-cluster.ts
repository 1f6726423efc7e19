import { z } from 'zod';
import { withdrawUnwanted } from '../components/kubernetes-withdraw.js';
import { whyNotReady } from '../runtimes/k3d/api.js';
import { bringUpCluster, isNew } from '../runtimes/k3d/bring-up.js';
import { clusterSpec } from '../runtimes/k3d/config.js';
import { apiPort, driftOf, type Drift } from '../runtimes/k3d/drift.js';
import { lookingAt } from '../runtimes/k3d/gathered.js';
import { nodeImages } from '../runtimes/k3d/images.js';
import { readKubeconfig } from '../runtimes/k3d/kubeconfig.js';
import { clusterName } from '../runtimes/k3d/name.js';
import { missingFolders } from '../runtimes/k3d/ready.js';
import { ownCluster, type OwnCluster } from '../runtimes/k3d/state.js';
import { systemImagesToBring } from '../runtimes/k3d/system-images.js';
import type { StackContext } from '../workspace/context.js';
import { defineModule, type Observation, type TaskContext } from './contract.js';

const schema = z.strictObject({
  part: z
    .enum(['node', 'rest'])
    .optional()
    .describe('Two tasks may share the work: images are brought into a new node from `node` on, and `rest` waits for Kubernetes in it'),
});

/** What the task of the first part found or did in this run, for the task of the second. */
const firstTask = { settled: new WeakSet<StackContext>(), made: new WeakSet<StackContext>() };

/** forge's own cluster, with its kubeconfig in .forge/ and the folders for data in its node. */
export const k3dCluster = defineModule<z.output<typeof schema>>({
  name: 'k3d.cluster',
  summary: "forge's own k3d cluster: made, started, reachable and ready",
  schema,
  // The images of node and helper may have to be pulled.
  timeoutSeconds: 1800,

  async observe({ part }, { stack, signal }) {
    if (part === 'rest' && firstTask.settled.has(stack)) return { state: 'in-sync' };
    if (part === 'rest' && !firstTask.made.has(stack)) return { state: 'unknown', reason: 'there is no node yet' };
    const seen = await observe({ stack, signal }, part === 'node' && firstTask.made.has(stack));
    if (part === 'node' && seen.state === 'in-sync' && !firstTask.made.has(stack)) firstTask.settled.add(stack);
    return seen;
  },

  async apply({ part }, observation, { stack, signal, progress, waitingFor }) {
    const work = { signal, progress, waitingFor };
    if (part === 'rest') {
      await bringUpCluster(stack, { ...work, keep: true });
      return `${observation.message ?? 'it was not ready'}; ready now`;
    }
    const done = await bringUpCluster(stack, { ...work, until: part === 'node' ? 'takes images' : 'ready' });
    if (part === 'node' && isNew(done)) firstTask.made.add(stack);
    // A cluster that was not ready could not be asked before.
    if (!isNew(done)) await withdrawUnwanted(stack, signal);
    return `${observation.message ?? 'there was none'}; ${done}`;
  },
});

async function observe({ stack, signal }: Pick<TaskContext, 'stack' | 'signal'>, takesImages: boolean): Promise<Observation> {
  const cluster = await ownCluster(clusterName(stack), stack.workspace, lookingAt(stack, signal));
  const { name, state, node } = cluster;
  if (state === 'absent') return { state: 'missing', message: `there is no cluster ${name}` };
  if (state === 'half') return { state: 'missing', message: `the making of ${name} was interrupted` };
  const drift = driftOf(node, clusterSpec(stack));
  if (drift.length > 0) return drifted(`${name} has to be made anew: ${drift.map(({ field }) => field).join(', ')} changed`, drift);
  if (state === 'stopped') return drifted(`${name} is stopped`, [{ field: 'state', is: node.status, should: 'running' }]);
  if (!takesImages) return observeRunning(cluster, { stack, signal });
  await nodeImages(name, { signal });
  return { state: 'in-sync' };
}

async function observeRunning(
  { name, node }: OwnCluster & { state: 'stopped' | 'running' },
  { stack, signal }: Pick<TaskContext, 'stack' | 'signal'>,
): Promise<Observation> {
  const { drift, access } = await readKubeconfig(stack.workspace, name, apiPort(node));
  if (access === undefined) return drifted(`the kubeconfig in .forge is not that of ${name}`, drift);
  const bringable = systemImagesToBring(stack, name, signal);
  // In a node that is not ready nobody tells them, and that is said first.
  bringable.catch(() => undefined);
  const [why, folders] = await Promise.all([whyNotReady(access, node.name, node.startedAt, signal), missingFolders(name, signal)]);
  if (why !== undefined) return drifted(`${name} runs, but ${why}`, [{ field: 'state', is: why, should: 'ready' }]);
  const images = await bringable;
  if (images.length > 0) {
    const missing = images.map(({ inNode }) => inNode).join(', ');
    return drifted(`images of its own are missing in ${name}, and are on this machine: ${missing}`, [
      { field: 'images', is: `without ${missing}`, should: 'all of them' },
    ]);
  }
  if (folders.length === 0) return { state: 'in-sync' };
  return drifted(`folders for data are missing in ${name}`, [
    { field: 'folders', is: `without ${folders.join(', ')}`, should: 'all of them' },
  ]);
}

const drifted = (message: string, diff: Drift[]): Observation => ({ state: 'drifted', message, diff });
