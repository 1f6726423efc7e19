import type { TaskContext, TaskModule } from '../modules/contract.js';
import type { StackContext } from '../workspace/context.js';
import { messageOf } from '../errors.js';
import { look, notInSyncError, observe, timeoutError, unknownError } from './attempt.js';
import type { OnEvent, RunMode, RunResult, TaskResult } from './events.js';
import { graphOf, reversed, walk, type Node } from './graph.js';
import { interruption, withLimits } from './limits.js';
import { tally } from './recap.js';
import { reporterFor, type Reporter } from './report.js';
import { describeWhen, holds, type Task } from './task.js';

export interface GraphOptions {
  tasks: readonly Task[];
  modules: ReadonlyMap<string, TaskModule>;
  stack: StackContext;
  /** Aborts everything; what is under way is waited for, up to `graceMs`. */
  signal: AbortSignal;
  /** Renders the templates of a task's arguments, right before they are needed: earlier tasks make secrets. */
  renderArgs: (task: Task, stack: StackContext) => unknown;
  onEvent?: OnEvent;
  /** Told of each task as it ends. */
  onResult?: (result: TaskResult) => void;
  /** Tasks at once; 16 when left out. */
  concurrency?: number;
  /** How long a task that was told to stop may take to do so; 5 s when left out. */
  graceMs?: number;
}

/** How a task ended, and what that means for those that need it. */
interface Ended {
  result: TaskResult;
  /** The task that failed, because of which those that need this one are not run. */
  blocker?: string;
  /** Check: the task that would change, before which those that need this one may be unknowable. */
  pending?: string;
}

/** What is at hand while one task is worked on. */
interface Work {
  task: Task;
  module: TaskModule;
  context: TaskContext;
  reporter: Reporter;
  render: () => unknown;
  before: Ended[];
}

/**
 * Brings every task to its state, or with `check` says what that would change. Does not throw when a task fails: the
 * result has the first failure as `error`, for the caller to throw after the recap. Throws when it is interrupted.
 */
export async function runGraph(options: GraphOptions & { mode: 'apply' | 'check' }): Promise<RunResult> {
  const takesPart = (task: Task): boolean => holds(task.when, options.stack);
  const skip = (task: Task): string | undefined => (takesPart(task) ? undefined : `only when ${describeWhen(task.when)}`);
  return run(options, options.mode, graphOf(options.tasks, takesPart), options.mode === 'apply' ? applyTask : checkTask, skip);
}

/**
 * Removes what the tasks made, dependents first, and goes on after failures. `only` leaves tasks out; those are not
 * in the result.
 */
export async function removeGraph(options: GraphOptions & { only?: (task: Task) => boolean }): Promise<RunResult> {
  const { only = () => true } = options;
  const tasks = options.tasks.filter((task) => holds(task.when, options.stack) && only(task));
  const nodes = reversed(graphOf(options.tasks, (task) => tasks.includes(task)));
  return run({ ...options, tasks }, 'remove', nodes, removeTask, () => undefined);
}

type Perform = (work: Work) => Promise<Ended>;

async function run(
  options: GraphOptions,
  mode: RunMode,
  nodes: Node[],
  perform: Perform,
  skip: (task: Task) => string | undefined,
): Promise<RunResult> {
  const { tasks, stack, signal, onEvent = () => undefined } = options;
  const started = performance.now();
  const reporters = new Map(tasks.map((task) => [task.id, reporterFor(task, onEvent)]));
  const reporterOf = (task: Task): Reporter => reporters.get(task.id)!;
  const errors: unknown[] = [];
  const results = new Map<string, TaskResult>();

  for (const task of tasks) reporterOf(task).state('waiting');
  for (const task of tasks) {
    const why = skip(task);
    if (why !== undefined) results.set(task.id, reporterOf(task).end('skipped', { message: why }));
  }

  const settle = async (task: Task, before: Ended[]): Promise<Ended> => {
    const reporter = reporterOf(task);
    const blocker = mode === 'remove' ? undefined : before.find((ended) => ended.blocker !== undefined)?.blocker;
    if (blocker !== undefined)
      return { blocker, result: reporter.end('skipped', { message: `not run: needs ${blocker}`, behind: blocker }) };
    if (signal.aborted) return { blocker: task.id, result: reporter.end('skipped', { message: 'not run: interrupted' }) };
    try {
      const module = moduleOf(options, task);
      let waitedFor: string | undefined;
      const seconds = task.timeoutSeconds ?? module.timeoutSeconds;
      const limits = { signal, seconds, graceMs: options.graceMs ?? 5000 };
      const doing = (): string => (waitedFor === undefined ? reporter.now() : `waiting for ${waitedFor}`);
      const timedOut = (elapsed: number, cause: unknown): Error => timeoutError(task, doing(), elapsed, cause);
      return await withLimits(limits, timedOut, (own) => {
        const context = { stack, signal: own, progress: reporter.progress, waitingFor: (what: string) => void (waitedFor = what) };
        return perform({ task, module, context, reporter, before, render: () => options.renderArgs(task, stack) });
      });
    } catch (error) {
      errors.push(error);
      return { blocker: task.id, result: reporter.end('failed', { message: messageOf(error), error }) };
    }
  };

  await walk(nodes, options.concurrency ?? 16, async (task, before: Ended[]) => {
    const ended = await settle(task, before);
    results.set(task.id, ended.result);
    options.onResult?.(ended.result);
    return ended;
  });
  if (signal.aborted) throw interruption(signal);
  const inOrder = tasks.map((task) => results.get(task.id)!);
  return tally(mode, inOrder, (performance.now() - started) / 1000, errors[0]);
}

/** Observe, apply, observe again. What cannot be seen is never touched. */
async function applyTask(work: Work): Promise<Ended> {
  const { task, module, context, reporter } = work;
  reporter.state('observing');
  const seen = await look(work);
  context.signal.throwIfAborted();
  const { observation } = seen;
  if (observation.state === 'unknown') throw unknownError(task, seen);
  if (observation.state === 'in-sync') return { result: reporter.end('ok', observation) };

  reporter.state('applying');
  const done = await module.apply(seen.args, observation, context);
  context.signal.throwIfAborted();

  reporter.state('verifying');
  const after = await observe(module, seen.args, context);
  context.signal.throwIfAborted();
  if (after.observation.state === 'unknown') throw unknownError(task, after, ' after it was applied');
  if (after.observation.state !== 'in-sync') throw notInSyncError(task, after.observation);
  return { result: reporter.end('changed', { ...observation, message: done }) };
}

/** Observe only. What cannot be seen because something before it would change first is counted as a change. */
async function checkTask(work: Work): Promise<Ended> {
  const { task, context, reporter, before } = work;
  reporter.state('observing');
  const seen = await look(work);
  context.signal.throwIfAborted();
  const { observation } = seen;
  const pending = before.find((ended) => ended.pending !== undefined)?.pending;
  switch (observation.state) {
    case 'in-sync':
      return { pending, result: reporter.end('ok', observation) };
    case 'missing':
      return { pending: task.id, result: reporter.end('changed', { message: observation.message ?? 'is missing' }) };
    case 'drifted':
      return { pending: task.id, result: reporter.end('changed', observation) };
    case 'unknown':
      if (pending === undefined) throw unknownError(task, seen);
      return { pending: task.id, result: reporter.end('changed', { message: `not known until ${pending} stands`, behind: pending }) };
  }
}

/** Removes, whatever was seen: observing first only tells `changed` from `ok`. */
async function removeTask(work: Work): Promise<Ended> {
  const { task, module, context, reporter } = work;
  if (!module.remove) return { result: reporter.end('skipped', { message: 'has nothing to remove' }) };
  reporter.state('observing');
  const seen = await look(work);
  context.signal.throwIfAborted();
  if (seen.args === undefined) throw unknownError(task, seen);
  reporter.state('removing');
  await module.remove(seen.args, context);
  if (seen.observation.state === 'missing') return { result: reporter.end('ok', { message: 'was not there' }) };
  return { result: reporter.end('changed', { message: 'removed' }) };
}

function moduleOf({ modules }: GraphOptions, task: Task): TaskModule {
  const module = modules.get(task.module);
  if (!module) throw new Error(`task ${task.id} asks for the module ${task.module}, which is not registered`);
  return module;
}
