import { probeFlow, type Latency } from '../doctor/probe.js';
import { beforeGame, type Expectations, type Played } from '../doctor/expected.js';
import { verifyFlow, type Proof, type VerifyOptions } from '../doctor/verify.js';
import type { StackContext } from '../workspace/context.js';
import { loadDefinition, pipelineOf } from './graph.js';
import { runtimeOf } from './runtime.js';
import { openSession, requireUp, type SessionOptions } from './session.js';

export interface VerifyStackOptions {
  probe: boolean;
  /** What else to wait for, and how long. */
  wait?: Pick<VerifyOptions, 'windows' | 'expected' | 'patienceMs'>;
  signal: AbortSignal;
  progress: (text: string) => void;
}

/** To be called before events are played; what it gives tells what the tables have to hold after them. */
export async function expectEvents(stack: StackContext, signal: AbortSignal): Promise<(played: Played) => Expectations> {
  return beforeGame(stack, pipelineOf(await loadDefinition(stack.packageRoot, stack.stack), stack), signal);
}

export type StackProof = Proof & { latency?: { view: Latency; table: Latency } };

/**
 * Proves it of the stack of a workspace.
 * @throws ForgeError NOT_UP (exit 4)
 */
export async function verifyWorkspace(options: SessionOptions & VerifyStackOptions): Promise<StackProof> {
  const session = await openSession(options);
  requireUp(session);
  return verifyStack(session.stack, options);
}

/** Proves that events flow; with `probe` by sending some. */
export async function verifyStack(stack: StackContext, options: VerifyStackOptions): Promise<StackProof> {
  const runtime = await runtimeOf(stack.runtime);
  return runtime.withAccess(stack, options.signal, () => prove(stack, options));
}

/** The same for whoever has access to the endpoints already. */
export async function prove(stack: StackContext, options: VerifyStackOptions): Promise<StackProof> {
  const { signal, progress } = options;
  const pipeline = pipelineOf(await loadDefinition(stack.packageRoot, stack.stack), stack);
  progress('following the way of the data');
  const proof = await verifyFlow({ stack, pipeline, signal, ...options.wait });
  if (!options.probe || !proof.healthy) return proof;
  const { legs, latency } = await probeFlow({ stack, pipeline, signal, progress });
  const all = [...proof.legs, ...legs];
  return { ...proof, legs: all, healthy: all.every(({ ok }) => ok), latency };
}
