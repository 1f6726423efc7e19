import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { kubernetesStates } from '../../components/kubernetes-status.js';
import { withdrawUnwanted } from '../../components/kubernetes-withdraw.js';
import { componentsOf } from '../../components/index.js';
import { requireConnectors } from '../../components/flink/connectors.js';
import { hostPorts } from '../../runtimes/k3d/drift.js';
import { whyNotReady } from '../../runtimes/k3d/api.js';
import { lookingAt } from '../../runtimes/k3d/gathered.js';
import { readKubeconfig } from '../../runtimes/k3d/kubeconfig.js';
import { clusterName, nodeName } from '../../runtimes/k3d/name.js';
import { requireK3d } from '../../runtimes/k3d/require.js';
import { ownCluster, ownContainers, type OwnCluster } from '../../runtimes/k3d/state.js';
import { ownRemains, removeRemains, stopOwn } from '../../runtimes/k3d/takedown.js';
import { ExitCode, ForgeError } from '../../errors.js';
import { readKept } from '../../workspace/kept.js';
import type { Workspace } from '../../workspace/workspace.js';
import { refuseMissing } from '../images.js';
import type { StackRuntime } from '../runtime.js';

/** Servers as pods of a k3d cluster that forge makes and removes. */
export const k3dRuntime: StackRuntime = {
  async require(stack, signal) {
    const [tools, cluster] = await Promise.allSettled([
      requireK3d({ signal }),
      ownCluster(clusterName(stack), stack.workspace, lookingAt(stack, signal)),
    ]);
    // What lacks explains why the cluster could not be seen.
    for (const one of [tools, cluster]) if (one.status === 'rejected') throw one.reason as Error;
    const { node } = (cluster as PromiseFulfilledResult<OwnCluster>).value;
    if (stack.orders?.offline === true) return refuseMissing(stack, node, signal);
    if (stack.engine === 'flink') await requireConnectors(stack);
  },

  /** Ports of a node that is stopped count too: it gets them back, or its start says who has them. */
  async ownPorts(workspace) {
    const ports = new Set((await tolerant(() => ownContainers(workspace)))?.flatMap(hostPorts));
    return (port) => ports.has(port);
  },

  /** A cluster that is not ready yet is looked through when it has been started (module k3d.cluster). */
  async withdraw(stack, signal) {
    const name = clusterName(stack);
    const { access } = await readKubeconfig(stack.workspace, name, stack.ports['k3d-api']);
    if (access === undefined) return;
    const why = await whyNotReady(access, nodeName(name), new Date(0), signal);
    if (why === undefined) await withdrawUnwanted(stack, signal);
  },

  settle: () => Promise.resolve(),
  /** The node's ports are this machine's. */
  withAccess: (_stack, _signal, use) => use(),

  async states(stack, signal, options) {
    const { name, state } = await ownCluster(clusterName(stack), stack.workspace, lookingAt(stack, signal));
    if (state === 'running') return kubernetesStates(stack, signal, options);
    const reason = state === 'stopped' ? `the cluster ${name} is stopped` : `there is no cluster ${name}`;
    return componentsOf(stack).map(({ name: component, endpoint }) => {
      const address = stack.endpoints[endpoint];
      return {
        name: component,
        state: 'stopped' as const,
        endpoint: address === undefined ? '' : `${address.host}:${address.port}`,
        pods: [],
        residentBytes: 0,
        reason,
      };
    });
  },

  async down(workspace, { keepData, signal, note }) {
    // Who has no Docker never had a cluster; who has one is found by the labels, whatever became of .forge.
    const isKnown = knowsCluster(workspace);
    const look = () => ownRemains(workspace, { signal, ...(isKnown ? {} : { timeoutSeconds: 5 }) });
    const remains = await (isKnown && !keepData ? look() : tolerant(look, isKnown ? note : undefined));
    if (remains === undefined) return [];
    return keepData ? stopOwn(remains, workspace, { signal, note }) : removeRemains(remains, workspace, { signal, note });
  },
};

/** Whether this workspace may have a cluster, by files alone. */
function knowsCluster(workspace: Workspace): boolean {
  if (existsSync(path.join(workspace.generated, 'k3d.yaml'))) return true;
  try {
    return readKept(workspace)?.runtime === 'k3d';
  } catch {
    // Damaged: it may have been anything, unless servers ran here as processes, which have logs: a cluster has its k3d.yaml.
    return !entriesOf(workspace.logs).some((name) => name.endsWith('.log'));
  }
}

const entriesOf = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Undefined where this machine has no Docker that answers: then no cluster runs either. */
async function tolerant<T>(ask: () => Promise<T>, note?: (text: string) => void): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ForgeError) || error.exitCode !== ExitCode.lacking) throw error;
    note?.(`No cluster was looked for: ${error.message}`);
    return undefined;
  }
}
