import type { Difference } from '../modules/contract.js';

/** How a task ended. In check mode `changed` means that `up` would change it. */
export type TaskStatus = 'ok' | 'changed' | 'skipped' | 'failed';

/** Where a task stands; it begins with `waiting` and ends with one of the four statuses. */
export type TaskState = 'waiting' | 'observing' | 'applying' | 'verifying' | 'removing' | TaskStatus;

/**
 * One per change of a task's state, and one per progress text (same state, `progress` set).
 * A run begins with one `waiting` event per task, in the order in which a list of them should be shown.
 * Texts are already redacted.
 */
export interface TaskEvent {
  type: 'task';
  id: string;
  module: string;
  /** Title of the play that the task belongs to. */
  play: string;
  state: TaskState;
  /** Since the task left `waiting`; set on the final states. */
  seconds?: number;
  /** On the final states: what was done, why it was skipped or failed. */
  message?: string;
  /** What is going on right now; replaces the previous text. */
  progress?: string;
  /** What differs (check) or differed (apply). */
  diff?: Difference[];
}

export type OnEvent = (event: TaskEvent) => void;

/** How one task ended. */
export interface TaskResult {
  id: string;
  module: string;
  play: string;
  status: TaskStatus;
  seconds: number;
  message?: string;
  diff?: Difference[];
  /** Why this one could not be seen: a task before it that failed, or with check one that would change first. */
  behind?: string;
  /** What was thrown, untouched; only on `failed`. */
  error?: unknown;
}

export type RunMode = 'apply' | 'check' | 'remove';

/** How a run ended; the tasks are in the order of the playbooks. */
export interface RunResult {
  mode: RunMode;
  ok: number;
  changed: number;
  skipped: number;
  failed: number;
  seconds: number;
  tasks: TaskResult[];
  /** Of the task that failed first. The caller throws it after the recap: its exit code is that of the run. */
  error?: unknown;
}
