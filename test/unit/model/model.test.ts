import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RunResult } from '../../../src/playbook/events.js';
import { holds, type Task, type When } from '../../../src/playbook/task.js';
import { stack, task } from '../playbook/fakes.js';
import { answers, copyOf, play, RIGHT, stop, type Thing, type World } from './world.js';

const RUNS = Number(process.env.FORGE_TEST_MODEL_RUNS ?? 1000);
/** The value of a thing that is not forge's. */
const NEIGHBOURS = 7;
const SERVERS = ['kafka', 'localstack'];

/** Servers, and things on them or on this machine that need servers and earlier things; some are for another selection. */
const graphs = fc
  .array(
    fc.record({
      home: fc.option(fc.constantFrom(...SERVERS)),
      needs: fc.array(fc.nat(20), { maxLength: 2 }),
      other: fc.integer({ min: 0, max: 3 }).map((one) => one === 0),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((things): Task[] => {
    const tasks = SERVERS.map((name) => task(name, { module: 'server', with: { name } }));
    for (const [index, { home, needs: drawn, other }] of things.entries()) {
      const needs = [...new Set(drawn.map((need) => tasks[need % tasks.length]!.id))];
      // What lives on a server needs it, directly or through something else.
      if (home !== null && !reaches(tasks, needs, home)) needs.push(home);
      const name = `thing-${index}`;
      const when: When = other ? { catalog: ['iceberg-rest'] } : {};
      tasks.push(task(name, { module: 'thing', needs, when, with: { name, ...(home === null ? {} : { server: home }) } }));
    }
    return tasks.reverse();
  });

function reaches(tasks: Task[], needs: string[], goal: string): boolean {
  return needs.some((id) => id === goal || reaches(tasks, tasks.find((one) => one.id === id)!.needs, goal));
}

interface Real {
  world: World;
  tasks: Task[];
}
/** What the world should hold besides what forge makes; everything else is asked of the world itself. */
interface Model {
  neighbours: Map<string, Thing>;
}
type Command = fc.AsyncCommand<Model, Real>;

const command = (name: string, run: (real: Real, model: Model) => Promise<void>): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(real, model);
    expect(real.world.violations).toEqual([]);
    for (const [name, thing] of model.neighbours) expect([name, real.world.things.get(name)]).toEqual([name, thing]);
  },
  toString: () => name,
});

const wanted = ({ tasks }: Real): Task[] => tasks.filter((one) => holds(one.when, stack));
const homeOf = (one: Task): string | undefined => one.with.server as string | undefined;
const changedIn = (result: RunResult): string[] => result.tasks.filter(({ status }) => status === 'changed').map(({ id }) => id);

function isRight(world: World, one: Task): boolean {
  if (one.module === 'server') return world.running.has(one.id);
  return answers(world, homeOf(one)) && world.things.get(one.id)?.value === RIGHT;
}

/** After an `up` that nothing killed: what it calls done is done, what it cannot reach it says, and again it changes nothing. */
async function expectConverged(real: Real, result: RunResult): Promise<void> {
  const { world } = real;
  for (const one of wanted(real)) {
    const { status } = result.tasks.find(({ id }) => id === one.id)!;
    expect([one.id, status === 'ok' || status === 'changed']).toEqual([one.id, isRight(world, one) && !blocked(real, one)]);
  }
  for (const one of real.tasks.filter((other) => !wanted(real).includes(other)))
    expect([undefined, NEIGHBOURS]).toContain(world.things.get(one.id)?.value);
  const healthy = world.silent.size + world.deaf.size === 0;
  if (healthy) expect(result).toMatchObject({ failed: 0 });
  const again = await play(copyOf(world), real.tasks, 'apply');
  expect(changedIn(again)).toEqual([]);
}

/** Whether something that a task needs, however far away, could not be brought to its state. */
function blocked(real: Real, one: Task): boolean {
  return one.needs.some((id) => {
    const need = real.tasks.find((other) => other.id === id)!;
    return (wanted(real).includes(need) && !isRight(real.world, need)) || blocked(real, need);
  });
}

const up = command('up', async (real) => {
  await expectConverged(real, await play(real.world, real.tasks, 'apply'));
});

const check = command('check', async (real) => {
  const before = copyOf(real.world);
  const result = await play(real.world, real.tasks, 'check');
  expect(real.world).toEqual(before);
  const predicted = changedIn(result);
  const certain = result.tasks
    .filter(({ status, message }) => status === 'changed' && !message!.startsWith('not known'))
    .map(({ id }) => id);
  const after = copyOf(real.world);
  const changed = changedIn(await play(after, real.tasks, 'apply'));
  for (const id of changed) expect(predicted).toContain(id);
  if (after.silent.size + after.deaf.size > 0) return;
  expect(result.failed).toBe(0);
  for (const id of certain) expect(changed).toContain(id);
  // What a server kept over its stop turns out to be as it should; everything else was predicted exactly.
  const surprises = predicted.filter((id) => !changed.includes(id));
  for (const id of surprises) expect(before.things.get(id)?.value).toBe(RIGHT);
});

const down = command('down', async (real, model) => {
  const { world } = real;
  const healthy = [...world.things.values()].every(({ server }) => answers(world, server)) && SERVERS.every((name) => answers(world, name));
  const result = await play(world, real.tasks, 'remove');
  if (healthy) expect(result.failed).toBe(0);
  expect([...world.running]).toEqual([]);
  expect([...world.things.keys()].sort()).toEqual([...model.neighbours.keys()].sort());
});

const killed = (mode: 'apply' | 'remove', steps: number): Command =>
  command(`${mode} killed after ${steps} steps`, async (real) => {
    const { error } = await play(real.world, real.tasks, mode, steps);
    if (error === undefined || mode === 'remove') return;
    // Without faults, the next `up` alone converges.
    const next = copyOf(real.world);
    next.silent.clear();
    next.deaf.clear();
    const result = await play(next, real.tasks, 'apply');
    await expectConverged({ ...real, world: next }, result);
  });

const fault = (name: string, change: (real: Real, model: Model) => void): Command =>
  command(name, async (real, model) => Promise.resolve(change(real, model)));

const toggle = (set: Set<string>, name: string): void => {
  if (!set.delete(name)) set.add(name);
};

const server = fc.constantFrom(...SERVERS);
const thing = fc.nat(7).map((index) => `thing-${index}`);
const commands = [
  fc.constant(up),
  fc.constant(check),
  fc.constant(down),
  fc
    .record({ mode: fc.constantFrom('apply' as const, 'remove' as const), steps: fc.nat(12) })
    .map(({ mode, steps }) => killed(mode, steps)),
  server.map((name) => fault(`${name} dies`, ({ world }) => stop(world, name))),
  server.map((name) => fault(`${name} falls silent, or answers again`, ({ world }) => toggle(world.silent, name))),
  server.map((name) => fault(`${name} turns deaf, or hears again`, ({ world }) => toggle(world.deaf, name))),
  thing.map((name) =>
    fault(`${name} is deleted`, ({ world }, { neighbours }) => {
      if (!neighbours.has(name)) world.things.delete(name);
    }),
  ),
  thing.map((name) =>
    fault(`${name} drifts`, ({ world }, { neighbours }) => {
      const found = world.things.get(name);
      if (found && !neighbours.has(name)) found.value = 9;
    }),
  ),
  thing.map((name) =>
    fault(`a neighbour makes ${name}, or something of nearly that name`, (real, { neighbours }) => {
      const taken = wanted(real).some(({ id }) => id === name);
      const own = taken ? `${name}-too` : name;
      real.world.things.set(own, { server: undefined, value: NEIGHBOURS });
      neighbours.set(own, { server: undefined, value: NEIGHBOURS });
    }),
  ),
];

it(`up, check and down keep their word over ${RUNS} random histories`, { timeout: 60_000 }, async () => {
  const histories = fc.asyncProperty(
    graphs,
    fc.subarray(SERVERS),
    fc.commands(commands, { maxCommands: 15 }),
    async (tasks, forgetful, history) => {
      const world: World = {
        running: new Set(),
        silent: new Set(),
        deaf: new Set(),
        forgetful: new Set(forgetful),
        things: new Map(),
        violations: [],
      };
      await fc.asyncModelRun(() => ({ model: { neighbours: new Map<string, Thing>() }, real: { world, tasks } }), history);
    },
  );
  await fc.assert(histories, { numRuns: RUNS });
});
