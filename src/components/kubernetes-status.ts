import { openAccess } from '../clients/kubernetes-access.js';
import { connectKubernetes } from '../clients/kubernetes.js';
import { podMemory } from '../clients/kubernetes-stats.js';
import { desiredOf, findWorkloads, hasDied, restartsOf, troubleOf, type FoundWorkload } from '../runtimes/kubernetes/pods.js';
import { isOwn, WORKSPACE } from '../runtimes/kubernetes/labels.js';
import { conditionOf, type Pod, type Workload } from '../runtimes/kubernetes/pod-types.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import type { StackContext } from '../workspace/context.js';
import type { Component } from './component.js';
import { componentsOf } from './index.js';
import { askItself, type ComponentState } from './status.js';

/**
 * Every component of the stack as it really is on Kubernetes: its workloads and pods are looked for, and where all of them are
 * ready it is asked itself, at its endpoint on this machine.
 */
export async function kubernetesStates(stack: StackContext, signal?: AbortSignal, { memory = false } = {}): Promise<ComponentState[]> {
  const target = kubeTarget(stack);
  const client = await connectKubernetes(target);
  const components = componentsOf(stack);
  const found = await Promise.all(components.map(({ kubernetes }) => findWorkloads(client, kubernetes, signal)));
  const own = found.map((workloads) => workloads.map((workload) => ownOnly(workload, stack.workspace.id)));
  const pods = own.flat().flatMap((workload) => workload.pods);
  const measured = memory
    ? podMemory(await openAccess(target), pods, 'workingSetBytes', signal)
    : Promise.resolve(new Map<string, number>());
  const states = await Promise.all(components.map((component, index) => stateOf(stack, component, own[index] ?? [], signal)));
  const bytes = await measured;
  return states.map((state, index) => ({ ...state, residentBytes: sum(own[index] ?? [], bytes) }));
}

/** A workload of that name which somebody else made is none of the stack. */
function ownOnly(workload: FoundWorkload, id: string): FoundWorkload & { stranger?: string } {
  if (workload.object === undefined) return workload;
  if (isOwn(workload.object, id)) return workload;
  const owner = workload.object.metadata.labels?.[WORKSPACE];
  const stranger = owner === undefined ? "is there and is not forge's" : `belongs to another workspace of forge (${owner})`;
  return { ...workload, object: undefined, pods: [], stranger };
}

const sum = (workloads: FoundWorkload[], bytes: ReadonlyMap<string, number>): number =>
  workloads
    .flatMap(({ pods }) => pods)
    .reduce((total, { metadata: { namespace, name } }) => total + (bytes.get(`${namespace ?? ''}/${name}`) ?? 0), 0);

async function stateOf(
  stack: StackContext,
  component: Component,
  workloads: (FoundWorkload & { stranger?: string })[],
  signal?: AbortSignal,
): Promise<ComponentState> {
  const endpoint = stack.endpoints[component.endpoint];
  const pods = workloads.flatMap((workload) => workload.pods);
  const base = {
    name: component.name,
    endpoint: endpoint === undefined ? '' : `${endpoint.host}:${endpoint.port}`,
    pods: pods.filter(({ status }) => status?.phase !== 'Failed').map(({ metadata }) => metadata.name),
    residentBytes: 0,
  };
  const lacking = workloads.filter(({ object }) => object === undefined || desiredOf(object) === 0 || !isUp(object));
  if (lacking.length === 0) {
    const restarts = pods.map((pod) => restartsOf(pod)).find((text) => text !== undefined);
    const answer = await askItself(stack, component, signal);
    const reason = [answer.reason, restarts].filter((text) => text !== undefined).join('; ');
    return { ...base, state: answer.state, ...(reason === '' ? {} : { reason }) };
  }
  const reason = lacking.map((workload) => reasonOf(workload, component.kubernetes.namespace)).join('; ');
  return { ...base, state: lacking.length < workloads.length ? 'degraded' : stateOfNone(lacking), reason };
}

const isUp = (object: Workload): boolean => (object.status?.readyReplicas ?? 0) >= desiredOf(object);

function stateOfNone(lacking: FoundWorkload[]): ComponentState['state'] {
  const pods: Pod[] = lacking.flatMap((workload) => workload.pods);
  if (pods.some((pod) => hasDied(pod))) return 'dead';
  return lacking.every(({ object }) => object === undefined || desiredOf(object) === 0) ? 'stopped' : 'failing';
}

function reasonOf({ kind, name, object, pods, stranger }: FoundWorkload & { stranger?: string }, namespace: string): string {
  const which = `${kind} ${namespace}/${name}`;
  if (object === undefined) return `${which} ${stranger ?? 'is not there'}`;
  if (desiredOf(object) === 0) return `${which} is scaled to 0`;
  const unready = pods.filter(({ status }) => conditionOf(status?.conditions, 'Ready')?.status !== 'True');
  const worst = unready.find((pod) => hasDied(pod)) ?? unready[0];
  return worst === undefined ? `${which} has no pod yet` : troubleOf(worst);
}
