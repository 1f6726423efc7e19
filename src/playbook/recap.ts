import type { RunMode, RunResult, TaskResult, TaskStatus } from './events.js';

/** The counts of a run from how its tasks ended. */
export function tally(mode: RunMode, tasks: TaskResult[], seconds: number, error: unknown): RunResult {
  const count = (status: TaskStatus): number => tasks.filter((task) => task.status === status).length;
  return {
    mode,
    ok: count('ok'),
    changed: count('changed'),
    skipped: count('skipped'),
    failed: count('failed'),
    seconds: rounded(seconds),
    tasks,
    ...(error === undefined ? {} : { error }),
  };
}

/** The recap as data, and as `--json` carries it: counts as Ansible does, and one entry per task. */
export interface Recap {
  ok: number;
  changed: number;
  skipped: number;
  failed: number;
  seconds: number;
  tasks: { id: string; module: string; status: TaskStatus; seconds: number; message?: string }[];
}

export function recap(result: RunResult): Recap {
  const { ok, changed, skipped, failed, seconds } = result;
  const tasks = result.tasks.map(({ id, module, status, seconds: took, message }) => ({
    id,
    module,
    status,
    seconds: took,
    ...(message === undefined ? {} : { message }),
  }));
  return { ok, changed, skipped, failed, seconds, tasks };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
