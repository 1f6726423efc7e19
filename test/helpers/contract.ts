import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskModule } from '../../src/modules/contract.js';
import type { TaskResult } from '../../src/playbook/events.js';
import { removeGraph, runGraph } from '../../src/playbook/run.js';
import type { ContractCase } from '../integration/contract/types.js';
import type { TestWorld } from './world.js';

/** The cases of every `NAME.cases.ts` in a folder, in the order of the names. */
export async function casesIn(folder: URL): Promise<ContractCase[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.cases.ts')).sort();
  const lists = await Promise.all(files.map((file) => import(new URL(file, folder).href) as Promise<{ cases: ContractCase[] }>));
  return lists.flatMap(({ cases }) => cases);
}

/** What happened to the one task of a run, and whether its module was asked to change anything. */
interface Outcome {
  task: TaskResult;
  applied: boolean;
}

async function play(one: ContractCase, { stack }: TestWorld, args: unknown, mode: 'apply' | 'check' | 'remove'): Promise<Outcome> {
  let applied = false;
  const module: TaskModule = {
    ...one.module,
    apply: (...given) => {
      applied = true;
      return one.module.apply(...given);
    },
  };
  const options = {
    tasks: [{ id: 'contract', module: module.name, play: 'Contract', needs: [], when: {}, with: {}, at: () => one.title }],
    modules: new Map([[module.name, module]]),
    stack,
    signal: AbortSignal.timeout(100_000),
    renderArgs: () => args,
  };
  const result = mode === 'remove' ? await removeGraph(options) : await runGraph({ ...options, mode });
  return { task: result.tasks[0]!, applied };
}

/** The contract of src/modules/contract.ts, for each case on its real server. */
export function describeContract(cases: readonly ContractCase[], openWorld: () => Promise<TestWorld>): void {
  describe.each(cases.map((one) => [`${one.module.name}: ${one.title}`, one] as const))('%s', (_title, one) => {
    let open: TestWorld;
    let world: TestWorld;
    let args: unknown;
    const run = (mode: 'apply' | 'check' | 'remove', where = world): Promise<Outcome> => play(one, where, args, mode);
    const apply = async (): Promise<Outcome> => (await Promise.all([run('apply'), one.meanwhile?.(world, args)]))[0];
    const expectStatus = ({ task }: Outcome, status: string): void => {
      expect({ status: task.status, message: task.message }).toMatchObject({ status });
    };

    /** Check says that it would change, why, the same each time, and changes nothing. */
    const expectToDiffer = async (): Promise<TaskResult> => {
      const first = await run('check');
      expectStatus(first, 'changed');
      expect(first.task.message).not.toBe('');
      const second = await run('check');
      expect({ ...second.task, seconds: 0 }).toEqual({ ...first.task, seconds: 0 });
      expect(first.applied || second.applied).toBe(false);
      return first.task;
    };
    const expectApplied = async (): Promise<void> => {
      const changed = await apply();
      expectStatus(changed, 'changed');
      expect(changed.task.message).not.toBe('');
      const again = await run('apply');
      expectStatus(again, 'ok');
      expect(again.applied).toBe(false);
      expectStatus(await run('check'), 'ok');
    };

    beforeAll(async () => {
      open = await openWorld();
      world = (await one.world?.(open)) ?? open;
      args = await one.args(world);
    });
    afterAll(async () => {
      await one.cleanup?.(world, args);
      await open.close();
    });

    it('fresh: check says missing and changes nothing; apply changes, again is ok', async () => {
      expect((await expectToDiffer()).diff).toBeUndefined();
      await expectApplied();
    });

    it.each(one.drift ?? [])('drift is said, and repaired: $what', async ({ make }) => {
      await make(world, args);
      await expectToDiffer();
      await expectApplied();
    });

    if (one.unreachable)
      it('unreachable is unknown, with a reason, and never applied', async () => {
        const away = await one.unreachable!(world);
        for (const mode of ['check', 'apply'] as const) {
          const { task, applied } = await run(mode, away);
          expectStatus({ task, applied }, 'failed');
          expect(applied).toBe(false);
          expect(task.error).toMatchObject({ name: 'ForgeError', code: expect.not.stringMatching('TASK_TIMEOUT') as string });
          expect(task.message?.trim()).toBeTruthy();
        }
        expectStatus(await run('check'), 'ok');
      });

    if (one.module.remove)
      it('remove leaves nothing, and can be repeated', async () => {
        expectStatus(await run('remove'), 'changed');
        expect((await expectToDiffer()).diff).toBeUndefined();
        expectStatus(await run('remove'), 'ok');
      });

    it('says why, where a part of the contract does not apply', () => {
      expect(one.drift?.length ? 'drift' : one.noDrift, 'give drift, or the reason in noDrift').toBeTruthy();
      expect(one.unreachable ? 'unreachable' : one.noUnreachable, 'give unreachable, or the reason in noUnreachable').toBeTruthy();
      expect(one.module.remove ? 'remove' : one.noRemove, 'give remove, or the reason in noRemove').toBeTruthy();
    });
  });
}
