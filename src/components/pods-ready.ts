import { connectKubernetes } from '../clients/kubernetes.js';
import { findWorkloads } from '../runtimes/kubernetes/pods.js';
import { readinessOf } from '../runtimes/kubernetes/ready.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import { awaitReady } from '../runtimes/kubernetes/wait.js';
import type { StackContext } from '../workspace/context.js';
import { componentOf } from './index.js';
import { knownImages } from './pods.js';

/** Whether every workload of a component runs as it is described. */
export async function podsAreReady(stack: StackContext, component: string, signal: AbortSignal): Promise<boolean> {
  const client = await connectKubernetes(kubeTarget(stack));
  const found = await findWorkloads(client, componentOf(component).kubernetes, signal);
  return found.every(({ object }) => object !== undefined && readinessOf(object).ready);
}

/** Waits for every workload of a component. Ends at once with the reason when a pod shows that it will not become ready. */
export async function awaitPods(stack: StackContext, component: string, signal: AbortSignal): Promise<void> {
  const client = await connectKubernetes(kubeTarget(stack));
  const { namespace, workloads } = componentOf(component).kubernetes;
  const { workspace } = stack;
  const images = await knownImages(stack, signal);
  const limits = { readySeconds: 300, pullSeconds: 1800 };
  await Promise.all(
    workloads.map((workload) => awaitReady(client, { ...workload, ...limits, namespace, images, workspace: workspace.id, signal })),
  );
}
