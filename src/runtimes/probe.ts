import { messageOf } from '../errors.js';
import { redact } from '../workspace/secret.js';
import type { Probe } from './types.js';

const PROBE_MS = 5000;

/** Asks once; a probe that throws or takes too long has failed, and `why` tells how. */
export async function probeOnce(probe: Probe, signal?: AbortSignal, limitMs = PROBE_MS): Promise<{ holds: boolean; why?: string }> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    const holds = await probe.check(signal === undefined ? limit : AbortSignal.any([signal, limit]));
    return { holds };
  } catch (error) {
    signal?.throwIfAborted();
    return { holds: false, why: limit.aborted ? `no answer within ${limitMs / 1000} s` : redact(messageOf(error)) };
  }
}
