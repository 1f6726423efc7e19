import { describe, expect, it } from 'vitest';
import { ForgeError, serverError } from '../../../src/errors.js';
import { recap } from '../../../src/playbook/recap.js';
import { runGraph } from '../../../src/playbook/run.js';
import { Secret } from '../../../src/workspace/secret.js';
import { gate, setup, task, untilAborted } from './fakes.js';

const statuses = (result: { tasks: { id: string; status: string }[] }) =>
  Object.fromEntries(result.tasks.map(({ id, status }) => [id, status]));

describe('apply', () => {
  it('changes what is missing, in the order of needs, and nothing the second time', async () => {
    const { options, calls } = setup([task('c', { needs: ['b'] }), task('a'), task('b', { needs: ['a'] })]);
    const first = await runGraph({ ...options, mode: 'apply' });
    expect(first).toMatchObject({ ok: 0, changed: 3, skipped: 0, failed: 0 });
    expect(calls.filter((call) => call.startsWith('apply'))).toEqual(['apply a', 'apply b', 'apply c']);
    expect(first.tasks.map(({ id, message }) => [id, message])).toEqual([
      ['c', 'made c'],
      ['a', 'made a'],
      ['b', 'made b'],
    ]);
    const second = await runGraph({ ...options, mode: 'apply' });
    expect(second).toMatchObject({ ok: 3, changed: 0, failed: 0 });
    expect(calls.filter((call) => call.startsWith('apply'))).toHaveLength(3);
  });

  it('never applies what it cannot observe, and says why', async () => {
    const { options, calls } = setup([task('a'), task('b'), task('c')], {
      a: { observe: () => ({ state: 'unknown', reason: 'nobody answers on 127.0.0.1:1' }) },
      b: {
        observe: () => {
          throw new Error('connection reset');
        },
      },
    });
    const result = await runGraph({ ...options, mode: 'apply' });
    expect(statuses(result)).toEqual({ a: 'failed', b: 'failed', c: 'changed' });
    expect(result.tasks[0]!.message).toContain('nobody answers on 127.0.0.1:1');
    expect(result.tasks[1]!.message).toContain('connection reset');
    expect(result.error).toMatchObject({ code: 'TASK_UNKNOWN', exitCode: 4 });
    expect(calls.filter((call) => call.startsWith('apply'))).toEqual(['apply c']);
  });

  it('fails a task that is still not in sync after it was applied, with what differs', async () => {
    const { options } = setup([task('a')], {
      a: {
        observe: () => ({
          state: 'drifted',
          message: 'topic t has too few partitions',
          diff: [{ field: 'partitions', is: '1', should: '3' }],
        }),
      },
    });
    const result = await runGraph({ ...options, mode: 'apply' });
    expect(result.error).toMatchObject({ code: 'TASK_NOT_IN_SYNC', exitCode: 4 });
    expect((result.error as Error).message).toContain('partitions is 1, should be 3');
  });

  it('does not run what needs a failed task, and goes on with the other branches', async () => {
    const failure = serverError({ code: 'BROKER_DIED', message: 'the broker died' });
    const { options, calls } = setup(
      [task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['b'] }), task('x'), task('y', { needs: ['x'] })],
      { a: { apply: () => Promise.reject(failure) } },
    );
    const result = await runGraph({ ...options, mode: 'apply' });
    expect(statuses(result)).toEqual({ a: 'failed', b: 'skipped', c: 'skipped', x: 'changed', y: 'changed' });
    expect(result.tasks[1]!.message).toBe('not run: needs a');
    expect(result.tasks[2]!.message).toBe('not run: needs a');
    expect(result.error).toBe(failure);
    expect(calls).not.toContain('observe b');
  });

  it('passes the failure that came first, not the one that is listed first', async () => {
    const slow = gate();
    const { options } = setup([task('a'), task('b')], {
      a: {
        apply: async () => {
          await slow.opened;
          throw serverError({ code: 'LATE', message: 'late' });
        },
      },
      b: {
        apply: () => {
          setImmediate(slow.open);
          throw serverError({ code: 'EARLY', message: 'early' });
        },
      },
    });
    expect((await runGraph({ ...options, mode: 'apply' })).error).toMatchObject({ code: 'EARLY' });
  });

  it('runs independent tasks at once, up to the limit', async () => {
    let now = 0;
    let most = 0;
    const busy = {
      apply: async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
        return 'done';
      },
    };
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const behaviours = Object.fromEntries(ids.map((id) => [id, busy]));
    await runGraph({
      ...setup(
        ids.map((id) => task(id)),
        behaviours,
      ).options,
      mode: 'apply',
    });
    expect(most).toBe(5);
    most = 0;
    await runGraph({
      ...setup(
        ids.map((id) => task(id)),
        behaviours,
      ).options,
      mode: 'apply',
      concurrency: 2,
    });
    expect(most).toBe(2);
  });

  it('skips what is not for this selection, and keeps the order around it', async () => {
    const { options, calls } = setup([
      task('a'),
      task('b', { needs: ['a'], when: { catalog: ['iceberg-rest'] } }),
      task('c', { needs: ['b'] }),
      task('d', { when: { catalog: ['polaris', 'iceberg-rest'], stack: ['demo'] } }),
    ]);
    const result = await runGraph({ ...options, mode: 'apply' });
    expect(statuses(result)).toEqual({ a: 'changed', b: 'skipped', c: 'changed', d: 'changed' });
    expect(result.tasks[1]!.message).toBe('only when catalog is iceberg-rest');
    expect(calls.indexOf('apply a')).toBeLessThan(calls.indexOf('observe c'));
    expect(calls.some((call) => call.endsWith(' b'))).toBe(false);
  });

  it('checks rendered arguments, and names the line of a wrong one', async () => {
    const { options, calls } = setup([task('a', { at: (path = []) => `demo.yaml:7:3(${path.join('.')})` })]);
    const result = await runGraph({ ...options, mode: 'apply', renderArgs: () => ({ id: 5 }) });
    expect(result.error).toMatchObject({ code: 'TASK_ARGUMENTS', exitCode: 2 });
    expect((result.error as Error).message).toContain('demo.yaml:7:3(with.id): with.id:');
    expect(calls).toEqual([]);
  });
});

describe('time-out and interruption', () => {
  it('names the task that took too long and what it waited for', async () => {
    const { options } = setup([task('a', { timeoutSeconds: 0.02 })], {
      a: {
        observe: ({ waitingFor, signal }) => {
          waitingFor('Kafka to answer on 127.0.0.1:19094');
          return untilAborted(signal);
        },
      },
    });
    const { error } = await runGraph({ ...options, mode: 'apply' });
    expect(error).toMatchObject({ code: 'TASK_TIMEOUT', exitCode: 4 });
    expect((error as Error).message).toMatch(/^Task a \(fake\) .*0\.\d s.* waiting for Kafka to answer on 127.0.0.1:19094$/);
  });

  it('leaves a task behind that does not stop when its time is up', async () => {
    const { options } = setup([task('a', { timeoutSeconds: 0.02 }), task('b')], {
      a: { apply: () => new Promise<never>(() => undefined) },
    });
    const result = await runGraph({ ...options, mode: 'apply', graceMs: 20 });
    expect(statuses(result)).toEqual({ a: 'failed', b: 'changed' });
    expect(result.error).toMatchObject({ code: 'TASK_TIMEOUT', message: expect.stringContaining('it was applying') });
  });

  it('throws INTERRUPTED after what was under way has ended, and starts nothing more', async () => {
    const abort = new AbortController();
    let settled = false;
    const { options, calls, events } = setup([task('a'), task('b', { needs: ['a'] })], {
      a: {
        apply: async ({ signal }) => {
          setImmediate(() => abort.abort());
          await untilAborted(signal).catch(() => undefined);
          await new Promise((resolve) => setImmediate(resolve));
          settled = true;
          throw new Error('fetch failed');
        },
      },
    });
    const run = runGraph({ ...options, mode: 'apply', signal: abort.signal });
    await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED', exitCode: 130 });
    expect(settled).toBe(true);
    expect(calls).not.toContain('observe b');
    expect(events.at(-1)).toMatchObject({ id: 'b', state: 'skipped' });
  });

  it('is interrupted in bounded time by a task that does not stop', async () => {
    const abort = new AbortController();
    const { options } = setup([task('a')], {
      a: {
        apply: () => {
          setImmediate(() => abort.abort());
          return new Promise<never>(() => undefined);
        },
      },
    });
    const run = runGraph({ ...options, mode: 'apply', signal: abort.signal, graceMs: 20 });
    await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  it('throws the reason of the abort when that is an error of forge, such as that of SIGTERM', async () => {
    const reason = new ForgeError({ code: 'INTERRUPTED', message: 'terminated', exitCode: 143 });
    const { options, calls } = setup([task('a')]);
    await expect(runGraph({ ...options, mode: 'apply', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(calls).toEqual([]);
  });
});

describe('check', () => {
  it('applies nothing and says what would change', async () => {
    const { options, calls } = setup([task('a'), task('b'), task('c')], {
      b: { observe: () => ({ state: 'in-sync', message: 'as it should be' }) },
      c: { observe: () => ({ state: 'drifted', message: 'too wide', diff: [{ field: 'mode', is: '0644', should: '0600' }] }) },
    });
    const result = await runGraph({ ...options, mode: 'check' });
    expect(result).toMatchObject({ mode: 'check', ok: 1, changed: 2, failed: 0 });
    expect(result.tasks[2]).toMatchObject({ message: 'too wide', diff: [{ field: 'mode', is: '0644', should: '0600' }] });
    expect(calls.some((call) => call.startsWith('apply'))).toBe(false);
  });

  it('counts what cannot be known before another change as a change, through tasks that are in sync', async () => {
    const unknown = { observe: () => ({ state: 'unknown', reason: 'no answer' }) as const };
    const { options } = setup(
      [
        task('server'),
        task('folder', { needs: ['server'] }),
        task('topic', { needs: ['folder'] }),
        task('job', { needs: ['topic'] }),
        task('other'),
      ],
      { folder: { observe: () => ({ state: 'in-sync' }) }, topic: unknown, job: unknown, other: unknown },
    );
    const result = await runGraph({ ...options, mode: 'check' });
    expect(statuses(result)).toEqual({ server: 'changed', folder: 'ok', topic: 'changed', job: 'changed', other: 'failed' });
    expect(result.tasks[2]!.message).toBe('not known until server stands');
    expect(result.tasks[3]!.message).toBe('not known until topic stands');
    expect(result.error).toMatchObject({ code: 'TASK_UNKNOWN' });
  });

  it('takes arguments that cannot be rendered yet for not known, when what makes them would change', async () => {
    const { options } = setup([task('credentials'), task('database', { needs: ['credentials'] })]);
    const renderArgs = ({ id }: { id: string }) => {
      if (id === 'database') throw new Error('there is no secret postgresql');
      return { id };
    };
    const result = await runGraph({ ...options, mode: 'check', renderArgs });
    expect(result).toMatchObject({ changed: 2, failed: 0 });
  });
});

describe('what is told', () => {
  it('tells every change of state and progress, and nothing after the end', async () => {
    let late: (text: string) => void = () => undefined;
    const { options, events } = setup([task('a')], {
      a: {
        apply: ({ progress }) => {
          progress('10 of 40 MB');
          late = progress;
          return 'installed';
        },
      },
    });
    await runGraph({ ...options, mode: 'apply' });
    late('40 of 40 MB');
    expect(events.map(({ state, progress }) => progress ?? state)).toEqual([
      'waiting',
      'observing',
      'applying',
      '10 of 40 MB',
      'verifying',
      'changed',
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'task', id: 'a', module: 'fake', play: 'Play', message: 'installed' });
    expect(events.at(-1)!.seconds).toBeGreaterThanOrEqual(0);
  });

  it('masks secrets in messages, progress, differences and errors', async () => {
    const secret = new Secret('s3cr3t-value-of-this-test');
    const text = `password ${secret.reveal()}`;
    const { options, events } = setup([task('a'), task('b')], {
      a: {
        observe: () => ({ state: 'drifted', message: text, diff: [{ field: 'password', is: text, should: text }] }),
        apply: ({ progress }) => {
          progress(text);
          return text;
        },
      },
      b: { observe: () => ({ state: 'unknown', reason: text }) },
    });
    const check = await runGraph({ ...options, mode: 'check' });
    const apply = await runGraph({ ...options, mode: 'apply' });
    expect(check.tasks[0]!.diff).toEqual([{ field: 'password', is: 'password ***', should: 'password ***' }]);
    const told = JSON.stringify([events, recap(check), recap(apply), check.tasks.map(({ diff }) => diff)]);
    expect(told).toContain('password ***');
    expect(told).not.toContain(secret.reveal());
  });

  it('gives the recap as data for --json', async () => {
    const { options } = setup([task('a'), task('b', { when: { stack: ['other'] } })]);
    expect(recap(await runGraph({ ...options, mode: 'apply' }))).toEqual({
      ok: 0,
      changed: 1,
      skipped: 1,
      failed: 0,
      seconds: expect.any(Number) as number,
      tasks: [
        { id: 'a', module: 'fake', status: 'changed', seconds: expect.any(Number) as number, message: 'made a' },
        { id: 'b', module: 'fake', status: 'skipped', seconds: 0, message: 'only when stack is other' },
      ],
    });
  });
});
