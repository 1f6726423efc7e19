import { existsSync, readFileSync } from 'node:fs';
import { localImage } from '../../clients/docker-images.js';
import { connectKubernetes, type KubeObject } from '../../clients/kubernetes.js';
import type { StackContext } from '../../workspace/context.js';
import { imageChoices } from '../../workspace/images.js';
import { generatedFile } from '../kubernetes/apply.js';
import { kubeTarget } from '../kubernetes/target.js';
import { lookingAt } from './gathered.js';
import { nodeImages } from './images.js';
import { clusterName } from './name.js';
import { qualified } from './reference.js';

const chosen = new WeakMap<StackContext, Map<string, Promise<string>>>();

/**
 * The stack's images, where images.yaml leaves a choice with the one that is used here. Only for these names anything is asked;
 * one run gets one answer.
 */
export async function imagesHere(stack: StackContext, names: readonly string[], signal: AbortSignal): Promise<Record<string, string>> {
  if (names.length === 0) return stack.images;
  const choices = Object.entries(imageChoices(stack.packageRoot, stack.config)).filter(
    ([name, several]) => names.includes(name) && several.length > 1,
  );
  const known = chosen.get(stack) ?? new Map<string, Promise<string>>();
  chosen.set(stack, known);
  const found = await Promise.all(
    choices.map(async ([name, several]) => {
      const answer = known.get(name) ?? choose(stack, name, several, signal);
      known.set(name, answer);
      // Who was broken off says nothing for the others.
      answer.catch(() => known.delete(name));
      return [name, await answer] as const;
    }),
  );
  return { ...stack.images, ...Object.fromEntries(found) };
}

/**
 * What was applied before stays, so that an image that comes or goes later changes nothing. Else the first that is here already,
 * else the last, which can be pulled.
 */
async function choose(stack: StackContext, name: string, choices: string[], signal: AbortSignal): Promise<string> {
  const applied = appliedImage(stack, name, choices);
  const last = choices.at(-1)!;
  if (stack.runtime === 'kubernetes') {
    if (applied !== undefined) return applied;
    const held = await heldByNodes(stack, signal);
    return choices.find((one) => held(one)) ?? last;
  }
  const ordered = applied === undefined ? choices : [applied, ...choices.filter((one) => one !== applied)];
  const isLocal = async (one: string): Promise<boolean> => (await localImage(one, { signal })) !== undefined;
  const [first = last, ...others] = ordered;
  if (await isLocal(first)) return first;
  const local = [false, ...(await Promise.all(others.map(isLocal)))];
  // Without a node that runs there is none that holds images.
  const inNode = await nodeImages(clusterName(stack), lookingAt(stack, signal)).catch(() => {
    signal.throwIfAborted();
    return new Set<string>();
  });
  return ordered.find((one, index) => local[index] === true || inNode.has(qualified(one))) ?? last;
}

/** The one that the manifest of the image's own name was applied with last. */
function appliedImage({ workspace }: StackContext, name: string, choices: readonly string[]): string | undefined {
  const file = generatedFile(workspace, `${name}/${name}.yaml`);
  if (!existsSync(file)) return undefined;
  const used = [...readFileSync(file, 'utf8').matchAll(/^\s*(?:- )?image: ["']?([^"'\s]+)/gm)].map(([, reference]) => reference);
  return choices.find((one) => used.includes(one));
}

interface Node extends KubeObject {
  status?: { images?: { names?: string[] | null }[] | null };
}

/** Whether every node says that it holds an image: best effort, as not everybody may look at nodes, and they name few of their images. */
async function heldByNodes(stack: StackContext, signal: AbortSignal): Promise<(reference: string) => boolean> {
  try {
    const client = await connectKubernetes(kubeTarget(stack));
    const { items } = await client.list<Node>({ apiVersion: 'v1', kind: 'Node' }, { signal });
    const held = items.map(({ status }) => new Set((status?.images ?? []).flatMap(({ names }) => names ?? [])));
    return (reference) => held.length > 0 && held.every((names) => names.has(qualified(reference)) || names.has(reference));
  } catch {
    signal.throwIfAborted();
    return () => false;
  }
}
