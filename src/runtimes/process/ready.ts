import { setTimeout as delay } from 'node:timers/promises';
import { serverError, type ForgeError } from '../../errors.js';
import { redact } from '../../workspace/secret.js';
import { probeOnce } from '../probe.js';
import type { ProcessSpec } from '../types.js';
import { failureLines } from './logs.js';
import { strangerAnswers } from './ports.js';
import type { StartContext } from './spawn.js';
import { ownProcesses } from './state.js';
import { stopProcess } from './stop.js';

export interface Watch {
  /** Resolves with how it ended; without it the process is looked for. */
  ended?: Promise<string>;
  died: (how: string) => Promise<ForgeError>;
  from?: number;
}

/** Waits for readiness and for death at once: the first of them decides. */
export async function waitReady(spec: ProcessSpec, context: StartContext, watch: Watch): Promise<void> {
  const deadline = performance.now() + spec.readySeconds * 1000;
  context.waitingFor?.(spec.ready.description);
  let end: string | undefined;
  void watch.ended?.then((how) => (end = how));
  const stop = new AbortController();
  void watch.ended?.then(() => stop.abort());
  let why: string | undefined;
  for (let pause = 50; ; pause = Math.min(pause * 1.5, 250)) {
    context.signal.throwIfAborted();
    const answer = await probeOnce(spec.ready, AbortSignal.any([context.signal, stop.signal])).catch(() => ({
      holds: false,
      why: undefined,
    }));
    context.signal.throwIfAborted();
    if (watch.ended === undefined && !answer.holds) {
      const alive = (await ownProcesses(context.workspace)).some((process) => process.name === spec.name);
      if (!alive) end = 'it is not there any more';
    }
    // A stranger on the same port may answer the probe, so the end is looked at first.
    if (end !== undefined) throw await watch.died(end);
    if (answer.holds) {
      const stranger = await strangerAnswers(spec, context.ports ?? {}, context.workspace);
      if (stranger === undefined) return;
      await stopProcess(context.workspace, spec.name, context.signal);
      throw stranger;
    }
    why = answer.why ?? why;
    if (performance.now() + pause > deadline) break;
    await delay(pause, undefined, { signal: AbortSignal.any([context.signal, stop.signal]) }).catch(() => undefined);
  }
  const { excerpt: lines } = await failureLines(context.workspace, spec.name, watch.from ?? 0);
  throw serverError({
    code: 'SERVER_NOT_READY',
    message: redact(
      `${spec.name} runs, but within ${spec.readySeconds} s this did not come true: ${spec.ready.description}` +
        `${why === undefined ? '' : ` (${why})`}.\nFrom its log:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    ),
    hint: `The whole log: \`forge logs ${spec.component}\`. A slow machine may only need a second \`forge up\``,
  });
}
