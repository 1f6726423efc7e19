import { connectKubernetes, type KubeObject } from '../../../clients/kubernetes.js';
import { ExitCode, ForgeError, messageOf } from '../../../errors.js';
import { whyNotReady } from '../../../runtimes/k3d/api.js';
import { apiPort } from '../../../runtimes/k3d/drift.js';
import { lookingAt } from '../../../runtimes/k3d/gathered.js';
import { readKubeconfig } from '../../../runtimes/k3d/kubeconfig.js';
import { clusterName } from '../../../runtimes/k3d/name.js';
import { ownCluster } from '../../../runtimes/k3d/state.js';
import { requireSameCluster } from '../../../runtimes/kubernetes/identity.js';
import { conditionOf, type Condition } from '../../../runtimes/kubernetes/pod-types.js';
import { kubeTarget } from '../../../runtimes/kubernetes/target.js';
import { isOnKubernetes } from '../../../workspace/context.js';
import { Behind, UP, type Check, type StackPlace, type Trouble } from '../../check.js';
import { RESTART_COSTS } from './localstack.js';

/** The cluster that the servers are in: what is wrong with it explains everything after it. */
export const clusterReachable: Check = {
  id: 'cluster-reachable',
  group: 'servers',
  title: 'The cluster is there, answers, and its node is ready',
  seconds: 8,
  concerns: ({ stack }) => isOnKubernetes(stack),
  look: (place) => (place.stack.runtime === 'k3d' ? lookAtK3d(place) : lookAtExisting(place)),
};

/** As Node words it. */
const EXPIRED = /certificate has expired/;
const UP_MENDS = '`forge up` brings it back; what the servers hold stays';

async function lookAtK3d({ stack, signal }: StackPlace): Promise<Trouble[]> {
  const { workspace } = stack;
  const { name, state, node } = await ownCluster(clusterName(stack), workspace, lookingAt(stack, signal)).catch(behindDocker);
  const told = (title: string, cause: string): Trouble[] => [{ title, cause, remedy: UP_MENDS, fix: UP }];
  if (state === 'absent') return told(`There is no cluster ${name}`, 'Docker has no node of it: it was deleted, or never made');
  if (state === 'half') return told(`The cluster ${name} is half made`, 'forge or k3d was killed while making it');
  if (state === 'stopped') return told(`The cluster ${name} is stopped`, `its node ${node.name} is ${node.status} in Docker`);
  const { access, drift } = await readKubeconfig(workspace, name, apiPort(node));
  if (access === undefined)
    return told(`The kubeconfig in .forge does not lead to ${name}`, drift.map(({ field, is }) => `${field}: ${is}`).join('; '));
  const why = await whyNotReady(access, node.name, node.startedAt, signal);
  if (why === undefined) return [];
  const title = `The cluster ${name} runs and cannot be used`;
  // `up` would wait for it in vain.
  if (EXPIRED.test(why))
    return [
      {
        title,
        cause: why,
        remedy: `\`docker restart ${node.name}\`: k3s renews its certificates when it starts; then \`forge up\`. LocalStack is restarted with it: ${RESTART_COSTS}`,
      },
    ];
  return told(title, why);
}

/** What Docker lacks is told by a check of its own. */
function behindDocker(error: unknown): never {
  if (!(error instanceof ForgeError) || error.exitCode !== ExitCode.lacking) throw error;
  throw new Behind('docker-answers', messageOf(error));
}

type Node = KubeObject & { status?: { conditions?: Condition[] } };

async function lookAtExisting({ stack, signal }: StackPlace): Promise<Trouble[]> {
  try {
    const client = await connectKubernetes(kubeTarget(stack));
    await client.version({ signal, timeoutMs: 5_000 });
    await requireSameCluster(stack.workspace, client, { keep: false, signal });
    // Whoever may not look at nodes is not told of them.
    const nodes = await client.list<Node>({ apiVersion: 'v1', kind: 'Node' }, { signal }).catch(() => ({ items: [] }));
    return unreadyNodes(client.target.context, nodes.items);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ForgeError)) throw error;
    const title = `The cluster of context ${stack.config.kubernetes.context ?? '(none)'} cannot be used`;
    return [{ title, cause: error.message, remedy: error.hint ?? 'See `kubectl cluster-info`' }];
  }
}

/** Only when none is left: the pods of one that is lost move to another. */
export function unreadyNodes(context: string, nodes: readonly Node[]): Trouble[] {
  const ready = (node: Node): Condition | undefined => conditionOf(node.status?.conditions, 'Ready');
  if (nodes.length === 0 || nodes.some((node) => ready(node)?.status === 'True')) return [];
  const causes = nodes.map((node) => `${node.metadata.name}: ${ready(node)?.message ?? ready(node)?.reason ?? 'no reason given'}`);
  return [
    {
      title: `No node of the cluster of context ${context} is ready`,
      cause: causes.slice(0, 3).join('; '),
      remedy: 'See `kubectl describe nodes`; the servers come back with their node',
    },
  ];
}
