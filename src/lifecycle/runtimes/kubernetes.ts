import { connectKubernetes, type KubeClient } from '../../clients/kubernetes.js';
import { allComponents, componentsOf } from '../../components/index.js';
import { kubernetesStates } from '../../components/kubernetes-status.js';
import { withdrawUnwanted } from '../../components/kubernetes-withdraw.js';
import { ForgeError, usageError } from '../../errors.js';
import { leadPorts } from '../../runtimes/kubernetes/access.js';
import { accessRecords, forwardsOf } from '../../runtimes/kubernetes/connect.js';
import { requireSameCluster } from '../../runtimes/kubernetes/identity.js';
import { requireCluster } from '../../runtimes/kubernetes/require.js';
import { dialer } from '../../runtimes/kubernetes/service.js';
import { kubeTarget, userTarget } from '../../runtimes/kubernetes/target.js';
import { removeWorkspace, stopWorkloads } from '../../runtimes/kubernetes/teardown.js';
import { keptFile, readKept } from '../../workspace/kept.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { StackRuntime } from '../runtime.js';

const unique = (texts: string[]): string[] => [...new Set(texts)];
const everyNamespace = (): string[] => unique(allComponents().map(({ kubernetes }) => kubernetes.namespace));

/** Servers in a cluster that the user has, in the context that the user named. */
export const kubernetesRuntime: StackRuntime = {
  async require(stack, signal) {
    const client = await connectKubernetes(kubeTarget(stack));
    const namespaces = unique(componentsOf(stack).map(({ kubernetes }) => kubernetes.namespace));
    const forwards = stack.config.kubernetes.access === 'forward';
    await requireCluster(client, { namespaces, forwards, commands: stack.engine === 'flink' }, signal);
    await requireSameCluster(stack.workspace, client, { keep: false, signal });
  },

  ownPorts(workspace, stack) {
    // Whoever holds a port is the way that the user has made.
    if (stack?.runtime === 'kubernetes' && stack.config.kubernetes.access === 'direct') return Promise.resolve(() => true);
    const ports = new Set(accessRecords(workspace).flatMap(({ forwards }) => forwards.map(({ port }) => port)));
    return Promise.resolve((port) => ports.has(port));
  },

  async withdraw(stack, signal) {
    const client = await connectKubernetes(kubeTarget(stack));
    await requireSameCluster(stack.workspace, client, { keep: true, signal });
    await withdrawUnwanted(stack, signal);
  },

  settle: () => Promise.resolve(),

  async withAccess(stack, signal, use) {
    if (stack.config.kubernetes.access === 'direct') return use();
    const target = kubeTarget(stack);
    const { workspace } = stack;
    const access = await leadPorts({ workspace, context: target.context, forwards: forwardsOf(stack), dial: await dialer(target), signal });
    try {
      return await use();
    } finally {
      await access.close();
    }
  },

  states: kubernetesStates,

  async down(workspace, { keepData, signal, note }) {
    const { context, contexts = [] } = readKept(workspace) ?? {};
    // With all of them it can go on before anything is removed from one.
    const clients = await Promise.all(
      (keepData ? contexts.filter((one) => one === context) : contexts).map(async (one) => {
        const client = await connectAgain(workspace, one);
        await requireSameCluster(workspace, client, { keep: false, signal });
        return client;
      }),
    );
    const options = { workspace: workspace.id, namespaces: everyNamespace(), signal, note };
    const stopped: string[] = [];
    for (const client of clients)
      stopped.push(...(keepData ? await stopWorkloads(client, options) : await removeWorkspace(client, options)));
    return stopped.sort();
  },
};

/** A context of before; one that is not there any more cannot be taken for one that holds nothing. */
async function connectAgain(workspace: Workspace, context: string): Promise<KubeClient> {
  try {
    return await connectKubernetes(userTarget(context));
  } catch (error) {
    if (!(error instanceof ForgeError) || error.code !== 'CONTEXT_UNKNOWN') throw error;
    throw usageError({
      code: error.code,
      message: error.message,
      hint: `The stack was brought up in it. Name the kubeconfig that has it in KUBECONFIG; if that cluster is gone for good, remove ${keptFile(workspace)}`,
      cause: error,
    });
  }
}
