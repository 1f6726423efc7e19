import { Flags } from '@oclif/core';
import { ForgeError, messageOf } from '../errors.js';
import type { Difference } from '../modules/contract.js';
import type { OnEvent, RunResult, TaskEvent, TaskStatus } from '../playbook/events.js';
import type { Output } from './output.js';
import { duration, indent } from './text.js';

/** How long a task runs before its progress is worth a line of its own where nothing can be redrawn. */
const SLOW_SECONDS = 10;

/** Flags of the commands that run playbooks. */
export const runFlags = {
  output: Flags.option({
    options: ['text', 'ndjson'] as const,
    default: 'text' as const,
    exclusive: ['json'],
    summary: 'text, or a JSON document per line: every change of a task, then the result',
  })(),
  diff: Flags.boolean({ summary: 'Show what differs, field by field (secrets are masked)' }),
};

export interface RunRendererOptions {
  output: Output;
  /** Show the differences of each task. */
  diff?: boolean;
  /** The run only observes: `changed` reads `would change`. */
  check?: boolean;
  /** Of the run; once it is aborted the display says that it is stopping. */
  signal?: AbortSignal;
}

export interface RunRenderer {
  /** Give it to the runner. */
  onEvent: OnEvent;
  /** Ends the display and prints what failed and the recap line; call it also when the run threw (without a result). */
  finish(result?: RunResult): Promise<void>;
}

/** Shows a run while it goes on: redrawn on a terminal, a line per finished task elsewhere, records for ndjson, nothing for --json. */
export async function createRunRenderer(options: RunRendererOptions): Promise<RunRenderer> {
  const { output } = options;
  if (output.format === 'json') return { onEvent: () => undefined, finish: async () => undefined };
  if (output.format === 'ndjson') return { onEvent: (event) => output.record(event), finish: async () => undefined };
  if (output.quiet) return withRecap({ onEvent: () => undefined, finish: async () => undefined }, options);
  if (!output.interactive) return withRecap(plainRenderer(options), options);
  const { listrRenderer } = await import('./render-listr.js');
  const live = listrRenderer(options);
  return withRecap(
    {
      onEvent: live.onEvent,
      finish: async (result) => {
        await live.finish(result);
        for (const task of result?.tasks ?? [])
          if (task.status === 'changed' || (options.diff && task.diff)) output.line(finished(task, options));
      },
    },
    options,
  );
}

/** A line per finished task, and one every ten seconds for those that take long, naming what is going on. */
function plainRenderer(options: RunRendererOptions): RunRenderer {
  const { output } = options;
  const active = new Map<string, { since: number; progress: string }>();
  let begun = false;
  const timer = setInterval(() => {
    const slow = [...active].map(([id, { since, progress }]) => ({ id, progress, seconds: (Date.now() - since) / 1000 }));
    const texts = slow
      .filter(({ seconds }) => seconds >= SLOW_SECONDS)
      .map(({ id, seconds, progress }) => `${id} (${duration(seconds)}${progress === '' ? '' : `, ${progress}`})`);
    if (texts.length > 0) output.line(`${'…'.padEnd(8)} ${texts.join('; ')}`);
  }, SLOW_SECONDS * 1000);
  timer.unref();
  return {
    onEvent: (event) => {
      if (event.state === 'waiting') return;
      // What this selection has no use for is counted, and not shown. Such tasks end before the first one begins.
      if (!begun && event.state === 'skipped') return;
      begun = true;
      if (isFinal(event.state)) {
        active.delete(event.id);
        output.line(finished({ ...event, status: event.state }, options));
      } else {
        const since = active.get(event.id)?.since ?? Date.now();
        active.set(event.id, { since, progress: event.progress ?? '' });
      }
    },
    finish: async () => clearInterval(timer),
  };
}

function withRecap(inner: RunRenderer, options: RunRendererOptions): RunRenderer {
  return {
    onEvent: inner.onEvent,
    finish: async (result) => {
      await inner.finish(result);
      if (!result) return;
      for (const task of result.tasks)
        // The first failure is the run's own error, which the command prints last.
        if (task.status === 'failed' && task.error !== result.error) options.output.line(failure(task));
      options.output.line(recapLine(result));
    },
  };
}

/** Counts as Ansible does: `ok=12 changed=30 skipped=2 failed=0 in 41 s`. */
export function recapLine({ ok, changed, skipped, failed, seconds }: Omit<RunResult, 'tasks' | 'mode'>): string {
  return `ok=${ok} changed=${changed} skipped=${skipped} failed=${failed} in ${duration(seconds)}`;
}

export const isFinal = (state: TaskEvent['state']): state is TaskStatus =>
  state === 'ok' || state === 'changed' || state === 'skipped' || state === 'failed';

interface Finished {
  id: string;
  status: TaskStatus;
  seconds?: number;
  message?: string;
  diff?: Difference[];
}

function finished({ id, status, seconds, message, diff }: Finished, { diff: showDiff, check }: RunRendererOptions): string {
  const label = check && status === 'changed' ? 'would change' : status;
  const took = seconds !== undefined && seconds >= 1 ? ` (${duration(seconds)})` : '';
  // A failure is told in full before the recap.
  const text = status === 'failed' ? message?.split('\n')[0] : message;
  const line = `${label.padEnd(8)} ${id}${took}${text ? `: ${text}` : ''}`;
  const differences = showDiff ? (diff ?? []).map(({ field, is, should }) => `    ${field}: ${is} -> ${should}`) : [];
  return [line, ...differences].join('\n');
}

function failure({ id, message, error }: { id: string; message?: string; error?: unknown }): string {
  const text = error === undefined ? (message ?? '') : messageOf(error);
  const hint = error instanceof ForgeError && error.hint !== undefined ? `\nHint: ${error.hint}` : '';
  return `failed   ${id}\n${indent(`${text}${hint}`, 4)}`;
}
