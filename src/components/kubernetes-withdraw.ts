import { connectKubernetes } from '../clients/kubernetes.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import { withdrawFrom } from '../runtimes/kubernetes/teardown.js';
import type { StackContext } from '../workspace/context.js';
import { allComponents, componentsOf } from './index.js';

/** Takes the servers that are no part of the stack any more out of its cluster: they would hold ports and memory. Their data stays. */
export async function withdrawUnwanted(stack: StackContext, signal: AbortSignal): Promise<void> {
  const wanted = new Set(componentsOf(stack).map(({ kubernetes }) => kubernetes.namespace));
  const namespaces = allComponents()
    .map(({ kubernetes }) => kubernetes.namespace)
    .filter((namespace) => !wanted.has(namespace));
  const client = await connectKubernetes(kubeTarget(stack));
  await withdrawFrom(client, { workspace: stack.workspace.id, namespaces, signal });
}
