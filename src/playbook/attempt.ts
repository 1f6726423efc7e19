import { describeDifference, type Observation, type TaskContext, type TaskModule } from '../modules/contract.js';
import { ForgeError, messageOf, serverError, usageError } from '../errors.js';
import type { Task } from './task.js';

/** What was seen; `error` is what an unknown was thrown as. */
export interface Seen {
  observation: Observation;
  error?: unknown;
}

/** Renders and checks the arguments, then observes. Never throws; no arguments means that they could not be made. */
export async function look(work: {
  task: Task;
  module: TaskModule;
  render: () => unknown;
  context: TaskContext;
}): Promise<Seen & { args?: unknown }> {
  let args: unknown;
  try {
    args = checkArguments(work.task, work.module, work.render());
  } catch (error) {
    return unseen(error);
  }
  return { args, ...(await observe(work.module, args, work.context)) };
}

/** Observes and never throws: what cannot be seen is unknown. */
export async function observe(module: TaskModule, args: unknown, context: TaskContext): Promise<Seen> {
  try {
    return { observation: await module.observe(args, context) };
  } catch (error) {
    return unseen(error);
  }
}

function unseen(error: unknown): Seen {
  return { error, observation: { state: 'unknown', reason: messageOf(error) || 'it failed without saying why' } };
}

/** The arguments as the module wants them; all that is wrong with them in one error. */
export function checkArguments(task: Task, module: TaskModule, rendered: unknown): unknown {
  const checked = module.schema.safeParse(rendered);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(
    (issue) => `${task.at(['with', ...issue.path])}: ${['with', ...issue.path].map(String).join('.')}: ${issue.message}`,
  );
  throw usageError({
    code: 'TASK_ARGUMENTS',
    message: `Task ${task.id} has arguments that ${task.module} does not take: ${problems.join('; ')}`,
    hint: 'Correct the playbook, or the value in forge.yaml that the argument is made from',
  });
}

/** The error of a task that cannot be seen: the one that was thrown, where it is one that forge made. */
export function unknownError(task: Task, { observation, error }: Seen, after = ''): unknown {
  if (error instanceof ForgeError) return error;
  const reason = observation.state === 'unknown' ? observation.reason : observation.state;
  return serverError({
    code: 'TASK_UNKNOWN',
    message: `Task ${task.id} (${task.module}) cannot be observed${after}, so nothing was changed blindly: ${reason}`,
    hint: '`forge doctor` says what is wrong; then run the same command again',
    cause: error,
  });
}

export function notInSyncError(task: Task, observation: Observation): Error {
  const left =
    observation.state === 'drifted'
      ? [observation.message, ...observation.diff.map(describeDifference)].join('; ')
      : `it is still ${observation.state}`;
  return serverError({
    code: 'TASK_NOT_IN_SYNC',
    message: `Task ${task.id} (${task.module}) was applied, but is still not as it should be: ${left}`,
    hint: 'Something else may be changing it at the same time; run the same command again',
  });
}

export function timeoutError(task: Task, doing: string, seconds: number, cause: unknown): Error {
  return serverError({
    code: 'TASK_TIMEOUT',
    message: `Task ${task.id} (${task.module}) was not done after ${seconds.toFixed(1)} s; it was ${doing}`,
    hint: '`forge doctor` and `forge logs COMPONENT` tell what holds it up; then run the same command again',
    cause,
  });
}
