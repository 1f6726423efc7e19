import type { StackContext } from '../workspace/context.js';
import { templateValues } from '../workspace/values.js';
import { componentsOf } from './index.js';

/** What the manifests can name: the values of the stack, and as `pods.NAME.…` what each component has worked out for its own. */
export async function manifestValues(stack: StackContext): Promise<Record<string, unknown>> {
  const parts = componentsOf(stack).map(async ({ name, kubernetes }) => [name, (await kubernetes.values?.(stack)) ?? {}] as const);
  return { ...templateValues(stack), pods: Object.fromEntries(await Promise.all(parts)) };
}
