import { z } from 'zod';
import type { Observation, TaskContext, TaskModule } from '../../../src/modules/contract.js';
import type { TaskEvent } from '../../../src/playbook/events.js';
import type { GraphOptions } from '../../../src/playbook/run.js';
import type { Task } from '../../../src/playbook/task.js';
import type { StackContext } from '../../../src/workspace/context.js';

export const stack = { stack: 'demo', runtime: 'process', engine: 'flink', catalog: 'polaris' } as StackContext;

export function task(id: string, more: Partial<Task> = {}): Task {
  return { id, module: 'fake', play: 'Play', needs: [], when: {}, with: { id }, at: () => 'demo.yaml:1:1', ...more };
}

type Behaviour = Partial<{
  observe: (context: TaskContext) => Observation | Promise<Observation>;
  apply: (context: TaskContext) => string | Promise<string>;
  remove: (context: TaskContext) => void | Promise<void>;
}>;

/** A module whose tasks behave as told by id; one that was applied is in sync, unless it says otherwise. */
export function fakeModule(behaviours: Record<string, Behaviour> = {}) {
  const calls: string[] = [];
  const applied = new Set<string>();
  const schema = z.strictObject({ id: z.string() });
  const module: TaskModule = {
    name: 'fake',
    summary: 'for tests',
    schema,
    timeoutSeconds: 60,
    observe: async (args, context) => {
      const { id } = args as z.output<typeof schema>;
      calls.push(`observe ${id}`);
      const told = behaviours[id]?.observe;
      if (told) return told(context);
      return applied.has(id) ? { state: 'in-sync' } : { state: 'missing' };
    },
    apply: async (args, _observation, context) => {
      const { id } = args as z.output<typeof schema>;
      calls.push(`apply ${id}`);
      const text = (await behaviours[id]?.apply?.(context)) ?? `made ${id}`;
      applied.add(id);
      return text;
    },
    remove: async (args, context) => {
      const { id } = args as z.output<typeof schema>;
      calls.push(`remove ${id}`);
      await behaviours[id]?.remove?.(context);
      applied.delete(id);
    },
  };
  return { module, calls, applied };
}

/** Options of a run over these tasks, with the events that it tells. */
export function setup(tasks: Task[], behaviours: Record<string, Behaviour> = {}) {
  const fake = fakeModule(behaviours);
  const events: TaskEvent[] = [];
  const options: GraphOptions = {
    tasks,
    modules: new Map([['fake', fake.module]]),
    stack,
    signal: new AbortController().signal,
    renderArgs: (one) => one.with,
    onEvent: (event) => events.push(event),
  };
  return { ...fake, events, options };
}

/** A promise that is settled from outside, for tests that hold a task at a point. */
export function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open: () => open(), opened };
}

/** Never ends by itself; rejects when the signal is aborted, as a well-behaved wait does. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
}
