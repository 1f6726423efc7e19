import { setMaxListeners } from 'node:events';
import type { Group, TaskFacts } from '../doctor/check.js';
import { placeChecks, stackChecks } from '../doctor/checks/index.js';
import { examine, type Examination, type Report } from '../doctor/examine.js';
import { ForgeError, messageOf } from '../errors.js';
import type { TaskResult } from '../playbook/events.js';
import { holds, type Stack } from '../playbook/task.js';
import type { StackContext } from '../workspace/context.js';
import { findWorkspace } from '../workspace/workspace.js';
import { loadDefinition, pipelineOf, runStack } from './graph.js';
import { runtimeOf } from './runtime.js';
import { openSession, type SessionOptions } from './session.js';

export interface DoctorOptions extends SessionOptions {
  signal: AbortSignal;
  /** Only this group. */
  only?: Group | undefined;
  /** And these checks, of whatever group. */
  also?: readonly string[];
  progress?: (done: number, all: number) => void;
}

/** Looks at everything and changes nothing. A stack that cannot even be opened is a finding too, never an error. */
export async function examineStack(options: DoctorOptions): Promise<Report> {
  const { signal, progress, only, also = [] } = options;
  const base: Omit<Examination, 'stack'> = {
    checks: { place: placeChecks, stack: stackChecks },
    place: { workspace: findWorkspace(options.folder), cacheDir: options.cacheDir, packageRoot: options.packageRoot },
    ...(only === undefined ? {} : { only: ({ id, group }) => group === only || also.includes(id) }),
    signal,
    ...(progress === undefined ? {} : { progress }),
  };
  const opened = await openSession(options).catch((error: unknown) => ({
    why: `the stack cannot be opened: ${messageOf(error)}`,
    behind: ['config-invalid', 'state-damaged'],
  }));
  signal.throwIfAborted();
  if ('why' in opened) return examine({ ...base, stack: opened });
  const { isKnown } = opened;
  const stack: StackContext = { ...opened.stack, orders: { ...opened.stack.orders, glance: true } };
  const runtime = await runtimeOf(stack.runtime);
  const place = await placeOf(stack, isKnown, signal).catch((error: unknown) => {
    if (!(error instanceof ForgeError)) throw error;
    return error;
  });
  if (place instanceof ForgeError) {
    const why = `the stack cannot be used: ${messageOf(place)}`;
    return examine({ ...base, place: { ...base.place, refused: place }, stack: { why, behind: ['config-invalid'] } });
  }
  const look = (): Promise<Report> => examine({ ...base, stack: place });
  const entered = { yes: false };
  try {
    return await runtime.withAccess(stack, signal, () => {
      entered.yes = true;
      return look();
    });
  } catch (error) {
    // The way into a cluster may be what is broken: the checks find out.
    if (entered.yes || signal.aborted) throw error;
    return look();
  }
}

async function placeOf(stack: StackContext, isKnown: boolean, signal: AbortSignal): Promise<Examination['stack']> {
  const definition = await loadDefinition(stack.packageRoot, stack.stack);
  const runtime = await runtimeOf(stack.runtime);
  return {
    stack,
    isKnown,
    pipeline: pipelineOf(definition, stack),
    require: () => runtime.require(stack, signal),
    tasks: () => tasksOf(stack, definition, signal),
    states: () => runtime.states(stack, signal),
  };
}

/** Behind a server that hangs, tasks may take long: what was not seen until then is unknown. */
const TASKS_MS = 7_000;

async function tasksOf(stack: StackContext, definition: Stack, signal: AbortSignal): Promise<TaskFacts[]> {
  const seen = new Map<string, TaskResult>();
  const late = new AbortController();
  const either = AbortSignal.any([signal, late.signal]);
  // Every task listens to it; that is no leak.
  setMaxListeners(0, either);
  const all = runStack(
    { stack, definition, signal: either, onResult: (result) => void (late.signal.aborted || seen.set(result.id, result)) },
    'check',
  );
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, TASKS_MS)));
  try {
    await Promise.race([all, patience]);
  } finally {
    clearTimeout(timer);
    late.abort();
    all.catch(() => undefined);
  }
  return definition.tasks
    .filter(({ when }) => holds(when, stack))
    .flatMap((task) => {
      const result = seen.get(task.id);
      return result === undefined ? [unseen(task.id, task.module)] : factsOf(result);
    });
}

const unseen = (id: string, module: string): TaskFacts => ({
  id,
  module,
  state: 'unknown',
  message: `it took longer than ${TASKS_MS / 1000} s`,
  diff: [],
});

/** A task that takes no part tells nothing; one that waits for another says so. */
function factsOf(task: TaskResult): TaskFacts[] {
  const { id, module, status, message = '', diff = [], behind } = task;
  const base = { id, module, message, diff };
  if (status === 'ok') return [{ ...base, state: 'ok' }];
  if (status === 'failed' || behind !== undefined) return [{ ...base, state: 'unknown' }];
  if (status === 'skipped') return [];
  return [{ ...base, state: diff.length > 0 ? 'drifted' : 'missing' }];
}
