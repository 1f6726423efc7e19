import { probeFlow, type Latency } from '../doctor/probe.js';
import { readTables, verifyFlow, type Proof, type VerifyOptions } from '../doctor/verify.js';
import { isWindowed } from '../doctor/pipeline.js';
import type { StackContext } from '../workspace/context.js';
import { loadDefinition, pipelineOf } from './graph.js';

export interface VerifyStackOptions {
  probe: boolean;
  /** What else to wait for, and how long. */
  wait?: Pick<VerifyOptions, 'windows' | 'minimumRows' | 'patienceMs'>;
  signal: AbortSignal;
  progress: (text: string) => void;
}

/** Rows of the tables that get one for each event, by name. */
export async function runningTotals(stack: StackContext, signal: AbortSignal): Promise<Record<string, number>> {
  const pipeline = pipelineOf(await loadDefinition(stack.packageRoot, stack.stack), stack);
  const tables = pipeline.tables.filter((table) => !isWindowed(table));
  const facts = await readTables(stack, { ...pipeline, tables }, signal);
  return Object.fromEntries(tables.map(({ name }) => [name, facts[name]?.rows ?? 0]));
}

/** Proves that events flow; with `probe` by sending some. */
export async function verifyStack(
  stack: StackContext,
  options: VerifyStackOptions,
): Promise<Proof & { latency?: { view: Latency; table: Latency } }> {
  const { signal, progress } = options;
  const pipeline = pipelineOf(await loadDefinition(stack.packageRoot, stack.stack), stack);
  progress('following the way of the data');
  const proof = await verifyFlow({ stack, pipeline, signal, ...options.wait });
  if (!options.probe || !proof.healthy) return proof;
  const { legs, latency } = await probeFlow({ stack, pipeline, signal, progress });
  const all = [...proof.legs, ...legs];
  return { ...proof, legs: all, healthy: all.every(({ ok }) => ok), latency };
}
