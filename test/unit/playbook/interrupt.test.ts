import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { packageRoot } from '../../../src/cli/paths.js';
import { modules } from '../../../src/modules/index.js';
import type { Observation, TaskModule } from '../../../src/modules/contract.js';
import { loadStack } from '../../../src/playbook/load.js';
import { runGraph } from '../../../src/playbook/run.js';
import type { RunResult } from '../../../src/playbook/events.js';
import { holds, type Task } from '../../../src/playbook/task.js';
import type { StackContext } from '../../../src/workspace/context.js';

const SELECTIONS = [
  { runtime: 'process', engine: 'flink', catalog: 'iceberg-rest' },
  { runtime: 'process', engine: 'flink', catalog: 'polaris' },
  { runtime: 'k3d', engine: 'risingwave', catalog: 'polaris' },
] as const;
/** Before anything is done for a step, while it is half done, and once it is done and looked at again. */
const PHASES = ['before', 'during', 'after'] as const;
/** Ctrl-C and SIGTERM abort the run; SIGKILL ends it without a word, so that nothing after it has any effect. */
const ENDS = ['abort', 'kill'] as const;

interface World {
  things: Map<string, 'half' | 'whole'>;
  /** What a task did while another one, that it needs, was not whole. */
  early: string[];
}

interface Break {
  id: string;
  phase: (typeof PHASES)[number];
  end: (typeof ENDS)[number];
}

/** Runs the shipped tasks over modules that only note what they made; `at` breaks the run off there. */
async function play(world: World, tasks: Task[], stack: StackContext, at?: Break): Promise<RunResult> {
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  let dead = false;
  const reason = new Error('broken off');
  const reach = (id: string, phase: Break['phase']): void => {
    if (at?.id !== id || at.phase !== phase) return;
    dead = at.end === 'kill';
    abort.abort(reason);
  };
  const alive = (): void => {
    if (dead) throw new Error('killed');
  };
  const present = tasks.filter((task) => holds(task.when, stack));
  const fake = (name: string): TaskModule => ({
    name,
    summary: 'notes what it makes',
    schema: z.unknown(),
    timeoutSeconds: 60,
    observe: async (args): Promise<Observation> => {
      const id = args as string;
      const found = world.things.get(id);
      reach(id, found === 'whole' ? 'after' : 'before');
      await new Promise((resolve) => setImmediate(resolve));
      alive();
      if (found === 'whole') return { state: 'in-sync' };
      if (found === undefined) return { state: 'missing' };
      return { state: 'drifted', message: 'half made', diff: [{ field: 'made', is: 'half', should: 'whole' }] };
    },
    apply: async (args, _observation, { signal }) => {
      const id = args as string;
      alive();
      const { needs } = present.find((task) => task.id === id)!;
      const lacking = needs.filter((need) => present.some((task) => task.id === need) && world.things.get(need) !== 'whole');
      if (lacking.length > 0) world.early.push(`${id} before ${lacking.join(', ')}`);
      world.things.set(id, 'half');
      reach(id, 'during');
      await new Promise((resolve) => setImmediate(resolve));
      alive();
      signal.throwIfAborted();
      world.things.set(id, 'whole');
      return 'made';
    },
  });
  return runGraph({
    tasks,
    modules: new Map([...modules.keys()].map((name) => [name, fake(name)])),
    stack,
    signal: abort.signal,
    renderArgs: (task) => task.id,
    mode: 'apply',
    graceMs: 1000,
  });
}

const changed = (result: RunResult): string[] => result.tasks.filter(({ status }) => status === 'changed').map(({ id }) => id);

describe.each(SELECTIONS)('up of Balloon Popper on $runtime with $engine and $catalog, broken off', (selection) => {
  const stack = { stack: 'balloon-popper', ...selection } as StackContext;

  it.each(ENDS.flatMap((end) => PHASES.map((phase) => ({ end, phase }))))(
    '$phase each step ($end): the next run does the rest, the third nothing',
    async ({ end, phase }) => {
      const { tasks } = await loadStack(packageRoot(), 'balloon-popper', modules);
      const present = tasks.filter((task) => holds(task.when, stack));
      expect(present.length).toBeGreaterThan(30);
      for (const { id } of present) {
        const world: World = { things: new Map(), early: [] };
        await expect(play(world, tasks, stack, { id, phase, end }), id).rejects.toThrow(/Interrupted; what was under way has ended/);
        const whole = [...world.things].filter(([, state]) => state === 'whole').map(([name]) => name);
        const second = await play(world, tasks, stack);
        expect(second.failed, id).toBe(0);
        // What was whole is not made twice; everything else is made now.
        expect(changed(second).sort(), id).toEqual(
          present
            .map((task) => task.id)
            .filter((name) => !whole.includes(name))
            .sort(),
        );
        expect(changed(await play(world, tasks, stack)), id).toEqual([]);
        expect(world.early, id).toEqual([]);
      }
    },
  );
});
