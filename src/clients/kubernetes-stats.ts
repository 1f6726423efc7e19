import { z } from 'zod';
import type { KubeAccess } from './kubernetes-access.js';
import { kubeRequest } from './kubernetes-request.js';

const summary = z.object({
  pods: z.array(
    z.object({
      podRef: z.object({ name: z.string(), namespace: z.string() }),
      memory: z.object({ workingSetBytes: z.number().optional(), rssBytes: z.number().optional() }).optional(),
    }),
  ),
});

const PATIENCE_MS = 2_000;

/** `rssBytes`: without files that are in memory only as long as nobody needs it. */
type MemoryKind = 'workingSetBytes' | 'rssBytes';

/**
 * Memory in use by pods, by `NAMESPACE/NAME`, as the kubelets of their nodes count it. Empty where that may not be asked, or
 * nobody answers: it is worth showing, and not worth failing for.
 */
export async function podMemory(
  access: KubeAccess,
  pods: readonly { spec?: { nodeName?: string } }[],
  what: MemoryKind,
  signal?: AbortSignal,
): Promise<Map<string, number>> {
  const nodes = [...new Set(pods.flatMap(({ spec }) => spec?.nodeName ?? []))];
  const found = await Promise.all(nodes.map((node) => memoryOn(access, node, what, signal)));
  return new Map(found.flatMap((node) => [...node]));
}

async function memoryOn(access: KubeAccess, node: string, what: MemoryKind, signal?: AbortSignal): Promise<Map<string, number>> {
  const limit = AbortSignal.timeout(PATIENCE_MS);
  const path = `/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary`;
  try {
    const both = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const { pods } = summary.parse(await kubeRequest(access, { path, doing: `asking node ${node} for its memory`, signal: both }));
    return new Map(pods.map(({ podRef, memory }) => [`${podRef.namespace}/${podRef.name}`, memory?.[what] ?? 0]));
  } catch {
    signal?.throwIfAborted();
    return new Map();
  }
}
