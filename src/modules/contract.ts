import type { z } from 'zod';
import type { StackContext } from '../workspace/context.js';

/** One field in which the world differs from what a task wants; values of secret fields are never put here. */
export interface Difference {
  field: string;
  is: string;
  should: string;
}

/** `mode is 0644, should be 0600`, for messages. */
export const describeDifference = ({ field, is, should }: Difference): string => `${field} is ${is}, should be ${should}`;

/** What a module saw. `unknown` never means missing: a server that does not answer is an error, not an invitation to create. */
export type Observation =
  | { state: 'in-sync'; message?: string }
  | { state: 'missing'; message?: string }
  | { state: 'drifted'; message: string; diff: Difference[] }
  | { state: 'unknown'; reason: string };

export interface TaskContext {
  stack: StackContext;
  /** Aborted by Ctrl-C and by the task's time-out. Pass it on to every request and wait. */
  signal: AbortSignal;
  /** Shows what is going on right now (bytes, percentages); replaces the previous text. */
  progress: (text: string) => void;
  /** Names what the task waits for, so that a time-out can say it. */
  waitingFor: (what: string) => void;
}

/**
 * The code behind a kind of task. `observe` and `apply` get validated arguments.
 * A throw in `observe` counts as `unknown` with the error's text. `apply` may be called with `missing` or `drifted`;
 * after it the runner observes again and fails the task when it is still not in sync.
 */
export interface TaskModule<Args = unknown> {
  /** As playbooks name it: `kafka.topic`. */
  name: string;
  /** One line for documentation. */
  summary: string;
  schema: z.ZodType<Args>;
  /** Seconds that observe + apply + observe may take, when the playbook says nothing. */
  timeoutSeconds: number;
  observe(args: Args, context: TaskContext): Promise<Observation>;
  /** Returns what was done and why, one line for the recap (`topic balloon-game was missing; created`). */
  apply(args: Args, observation: Extract<Observation, { state: 'missing' | 'drifted' }>, context: TaskContext): Promise<string>;
  /** Removes what `apply` made, matched exactly; resolves when nothing is left, also when nothing was there. */
  remove?(args: Args, context: TaskContext): Promise<void>;
}

/** Keeps the argument type inside a definition and forgets it outside, so that a registry can hold all modules. */
export function defineModule<Args>(module: TaskModule<Args>): TaskModule {
  return module;
}
