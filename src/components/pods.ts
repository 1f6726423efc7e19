import { imagesHere } from '../runtimes/k3d/choice.js';
import type { StackContext } from '../workspace/context.js';
import { templateValues } from '../workspace/values.js';
import { allComponents, componentsOf } from './index.js';

/** What the manifests can name: the values of the stack, and as `pods.NAME.…` what each component has worked out for its own. */
export async function manifestValues(stack: StackContext): Promise<Record<string, unknown>> {
  const parts = componentsOf(stack).map(async ({ name, kubernetes }) => [name, (await kubernetes.values?.(stack)) ?? {}] as const);
  return { ...templateValues(stack), pods: Object.fromEntries(await Promise.all(parts)) };
}

/** The stack's images by name, those of a component as they are used here; its manifests lie in the folder of its name. */
export const manifestImages = (stack: StackContext, manifest: string, signal: AbortSignal): Promise<Record<string, string>> => {
  const component = allComponents().find(({ name }) => manifest.startsWith(`${name}/`));
  return imagesHere(stack, component?.kubernetes.images ?? [], signal);
};

/** All of them, for what is told only: whoever cannot be asked which are used here holds nothing up. */
export const knownImages = (stack: StackContext, signal: AbortSignal): Promise<Record<string, string>> => {
  const names = componentsOf(stack).flatMap(({ kubernetes }) => kubernetes.images);
  return imagesHere(stack, names, signal).catch(() => stack.images);
};
