import { probeFlow, type Latency } from '../doctor/probe.js';
import { verifyFlow, type Proof } from '../doctor/verify.js';
import type { StackContext } from '../workspace/context.js';
import { loadDefinition, pipelineOf } from './graph.js';

export interface VerifyStackOptions {
  probe: boolean;
  /** Also wait until every windowed table holds rows. */
  windows?: boolean;
  signal: AbortSignal;
  progress: (text: string) => void;
}

/** Proves that events flow; with `probe` by sending some. */
export async function verifyStack(
  stack: StackContext,
  options: VerifyStackOptions,
): Promise<Proof & { latency?: { view: Latency; table: Latency } }> {
  const { signal, progress } = options;
  const pipeline = pipelineOf(await loadDefinition(stack.packageRoot, stack.stack), stack);
  progress('following the way of the data');
  const proof = await verifyFlow({ stack, pipeline, signal, windows: options.windows ?? false });
  if (!options.probe || !proof.healthy) return proof;
  const { legs, latency } = await probeFlow({ stack, pipeline, signal, progress });
  const all = [...proof.legs, ...legs];
  return { ...proof, legs: all, healthy: all.every(({ ok }) => ok), latency };
}
