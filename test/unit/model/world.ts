import { z } from 'zod';
import { defineModule, type Observation, type TaskModule } from '../../../src/modules/contract.js';
import type { RunResult } from '../../../src/playbook/events.js';
import { removeGraph, runGraph, type GraphOptions } from '../../../src/playbook/run.js';
import type { Task } from '../../../src/playbook/task.js';
import { stack } from '../playbook/fakes.js';

/** Something that a task makes: on a server, or on this machine (server undefined). */
export interface Thing {
  server: string | undefined;
  /** 2 is as it should be, 1 is half made, anything else has drifted. */
  value: number;
}

/** A small world of servers and what lives in them, with the faults that real ones have. */
export interface World {
  running: Set<string>;
  /** Run, but do not answer. */
  silent: Set<string>;
  /** Answer, but do not do what they are told. */
  deaf: Set<string>;
  /** Lose what they hold when they stop, as LocalStack does. */
  forgetful: Set<string>;
  things: Map<string, Thing>;
  violations: string[];
}

export const RIGHT = 2;
const serverArgs = z.strictObject({ name: z.string() });
const thingArgs = z.strictObject({ name: z.string(), server: z.string().optional() });

export function stop(world: World, server: string): void {
  world.running.delete(server);
  if (!world.forgetful.has(server)) return;
  for (const [name, thing] of world.things) if (thing.server === server) world.things.delete(name);
}

export function answers(world: World, server: string | undefined): boolean {
  return server === undefined || (world.running.has(server) && !world.silent.has(server));
}

/** The modules of one run; after `steps` changes the run is dead: whatever it still tries has no effect. */
function modulesOf(world: World, steps: number): Map<string, TaskModule> {
  let left = steps;
  const unseen = new Set<string>();
  const step = async (change: () => void): Promise<void> => {
    await tick();
    if (left-- <= 0) throw new Error('killed');
    change();
  };
  const look = async (name: string, see: () => Observation): Promise<Observation> => {
    await tick();
    if (left <= 0) throw new Error('killed');
    const observation = see();
    if (observation.state !== 'unknown') {
      unseen.delete(name);
      return observation;
    }
    // A module may say that it cannot see, or throw.
    unseen.add(name);
    if (/[02468]$/.test(name)) throw new Error(observation.reason);
    return observation;
  };
  const expectSeen = (name: string): void => {
    if (unseen.has(name)) world.violations.push(`${name} was applied although it could not be seen`);
  };
  const common = { summary: 'model', timeoutSeconds: 60 };
  const server: TaskModule<z.output<typeof serverArgs>> = {
    ...common,
    name: 'server',
    schema: serverArgs,
    observe: ({ name }) => look(name, () => ({ state: world.running.has(name) ? 'in-sync' : 'missing' })),
    apply: async ({ name }) => {
      expectSeen(name);
      await step(() => world.running.add(name));
      return 'started';
    },
    remove: async ({ name }) => {
      await step(() => {
        stop(world, name);
        world.silent.delete(name);
        for (const [key, thing] of world.things) if (thing.server === name) world.things.delete(key);
      });
    },
  };
  const thing: TaskModule<z.output<typeof thingArgs>> = {
    ...common,
    name: 'thing',
    schema: thingArgs,
    observe: ({ name, server: home }) =>
      look(name, () => {
        if (!answers(world, home)) return { state: 'unknown', reason: `${home} does not answer` };
        const found = world.things.get(name);
        if (!found) return { state: 'missing' };
        if (found.value === RIGHT) return { state: 'in-sync' };
        return { state: 'drifted', message: 'differs', diff: [{ field: 'value', is: String(found.value), should: String(RIGHT) }] };
      }),
    apply: async ({ name, server: home }) => {
      expectSeen(name);
      for (const value of [1, RIGHT])
        await step(() => {
          if (!answers(world, home)) throw new Error(`${home} does not answer`);
          if (home === undefined || !world.deaf.has(home)) world.things.set(name, { server: home, value });
        });
      return 'made';
    },
    remove: async ({ name, server: home }) => {
      await step(() => {
        if (!answers(world, home)) throw new Error(`${home} does not answer`);
        world.things.delete(name);
      });
    },
  };
  return new Map<string, TaskModule>([
    ['server', defineModule(server)],
    ['thing', defineModule(thing)],
  ]);
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function play(world: World, tasks: Task[], mode: 'apply' | 'check' | 'remove', steps = Infinity): Promise<RunResult> {
  const options: GraphOptions = {
    tasks,
    modules: modulesOf(world, steps),
    stack,
    signal: new AbortController().signal,
    renderArgs: (task) => task.with,
  };
  return mode === 'remove' ? removeGraph(options) : runGraph({ ...options, mode });
}

export function copyOf(world: World): World {
  return structuredClone(world);
}
