import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitUntil } from '../../src/clients/wait.js';
import { sqlGateway } from '../../src/components/flink/gateway.js';
import { openLake, withViews } from '../../src/doctor/pipeline.js';
import { submitJob } from '../../src/engines/flink/job.js';
import { localStateFiles } from '../../src/engines/flink/state-files.js';
import { waitFor } from '../helpers/lake.js';
import { ownPipeline, TABLES, type OwnPipeline } from '../helpers/own-pipeline.js';
import { openTestWorld, type TestWorld } from '../helpers/world.js';

let world: TestWorld;
let own: OwnPipeline;
let events = 0;
const { signal } = new AbortController();

beforeAll(async () => {
  world = await openTestWorld();
  own = await ownPipeline(world, 'flink_job');
});
afterAll(async () => {
  await own.close();
  await world.close();
});

const play = async (count: number): Promise<void> => {
  await own.send(count);
  events += count;
};

/** Topic, view and table agree by player, and the tables hold one row per event. */
const expectExact = (rows = { leaderboard: events, stats: events }): Promise<void> =>
  waitFor(async () => {
    const sums = await own.sums();
    expect(sums.view).toEqual(sums.topic);
    expect(sums.table).toEqual(sums.topic);
    expect(sums.rows).toEqual(rows);
    expect(sums.distinct).toBe(rows.leaderboard);
  });

const ended = (): Promise<true> => waitUntil(async () => (await own.activeJobs()).length === 0, { what: 'no job', timeoutMs: 60_000 });

describe('a job of Flink SQL', { timeout: 400_000 }, () => {
  test('is submitted, counts every event once, and is left alone while nothing changes', async () => {
    const first = await own.up();
    expect(first).toMatchObject({ status: 'changed' });
    expect(first.message).toMatch(/no job .* is running; submitted, reading the topic from its start/);
    const { id } = (await own.job())!;
    await play(200);
    await expectExact();
    expect(await own.up()).toMatchObject({ status: 'ok' });
    expect((await own.job())!.id).toBe(id);
    expect(await sqlGateway(own.stack).isRunning()).toBe(false);
  });

  test('goes on from a savepoint when its SQL changes in a way that its state fits', async () => {
    const { id } = (await own.job())!;
    await own.setSql(own.shippedSql.replaceAll("'200ms'", "'300ms'"));
    expect(await own.up('check')).toMatchObject({ status: 'changed', message: expect.stringContaining('SQL') as string });
    await play(50);
    const changed = await own.up();
    expect(changed.message).toMatch(/the SQL of job .* changed; submitted, resumed from a savepoint/);
    expect((await own.activeJobs()).map((job) => job.id)).not.toContain(id);
    await play(50);
    await expectExact();
  });

  test('cancelled, goes on from its newest checkpoint', async () => {
    await own.checkpoint();
    await own.flink.cancel((await own.job())!.id);
    await ended();
    await play(50);
    expect((await own.up()).message).toMatch(/no job .* is running; submitted, resumed from its last checkpoint/);
    await expectExact();
  });

  test('cancelled a moment ago, it is not waited for but submitted again', async () => {
    await own.checkpoint();
    await own.flink.cancel((await own.job())!.id);
    expect((await own.up()).message).toMatch(/(no job .* is running|was cancelling).*; submitted, resumed from its last checkpoint/);
    await play(10);
    await expectExact();
  });

  test('two jobs of its name become one', async () => {
    await own.up();
    const { id } = (await own.job())!;
    const gateway = sqlGateway(own.stack);
    const signal = AbortSignal.timeout(90_000);
    try {
      const gatewayUrl = await gateway.start(signal, () => {});
      // The second one writes nothing that is counted here: a topic of its own name is read into nowhere.
      const sql = `SET 'pipeline.name' = '${own.name}'; SET 'parallelism.default' = '1';
        CREATE TEMPORARY TABLE ticks (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');
        CREATE TEMPORARY TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole'); INSERT INTO nowhere SELECT n FROM ticks;`;
      await submitJob({
        flinkUrl: own.stack.endpoints['flink']!.url,
        gatewayUrl,
        state: { root: join(world.scratch, 'second'), files: localStateFiles },
        wanted: { name: own.name, sql, tables: {}, views: {} },
        signal,
        progress: () => {},
      });
    } finally {
      await gateway.stop();
    }
    expect(await own.activeJobs()).toHaveLength(2);
    expect((await own.up()).message).toMatch(/2 jobs named .* were running; one was kept/);
    expect((await own.job())!.id).toBe(id);
    expect(await own.activeJobs()).toHaveLength(1);
    await play(30);
    await expectExact();
  });

  test('a gateway that a killed run left is found and stopped; the job stays', async () => {
    const { id } = (await own.job())!;
    await sqlGateway(own.stack).start(AbortSignal.timeout(90_000), () => {});
    expect(await own.up('check')).toMatchObject({ status: 'changed', message: expect.stringContaining('SQL gateway') as string });
    expect((await own.up()).message).toMatch(/SQL gateway/);
    expect(await sqlGateway(own.stack).isRunning()).toBe(false);
    expect((await own.job())!.id).toBe(id);
  });

  test('a view that was lost is filled from the topic, while no event comes; tables get no row twice', async () => {
    await own.up();
    const before = await own.sums();
    await withViews(own.stack, own.name, (client) => client.query('DROP TABLE mv_leaderboard'), signal);
    await own.prepare();
    expect(await own.up('check')).toMatchObject({ status: 'changed', message: 'view mv_leaderboard is a new one' });
    expect((await own.up()).message).toMatch(
      /view mv_leaderboard is a new one; submitted, resumed from .*; mv_leaderboard filled from the topic/,
    );
    const sums = await own.sums();
    expect(sums.view).toEqual(sums.topic);
    expect(sums.rows).toEqual(before.rows);
    expect(await own.up('check')).toMatchObject({ status: 'ok' });
    await play(20);
    await expectExact();
  });

  test('one table made anew gets the rows from then on; the others get none twice', async () => {
    await own.up();
    const before = await own.sums();
    await own.dropTable('leaderboard');
    await own.prepare();
    const up = await own.up();
    expect(up.message).toMatch(/table leaderboard is a new one; submitted, resumed.*; leaderboard hold/);
    await own.send(40);
    await waitFor(async () => {
      const sums = await own.sums();
      expect(sums.view).toEqual(sums.topic);
      expect(sums.rows).toEqual({ leaderboard: 40, stats: before.rows.stats + 40 });
      for (const player of ['Ann', 'Bob', 'Cleo']) expect(sums.table[player]).toBe(sums.topic[player]);
    });
  });

  test('when every table is a new one, the topic is read again, and the views are counted anew', async () => {
    await own.up();
    await withViews(own.stack, own.name, (client) => client.query("INSERT INTO mv_leaderboard VALUES ('Nobody', 1, 0, now())"), signal);
    for (const table of TABLES) await own.dropTable(table);
    await own.prepare();
    expect((await own.up()).message).toMatch(/its tables are new, so the topic is read again from its start/);
    await waitFor(async () => {
      const sums = await own.sums();
      expect(sums.view).toEqual(sums.topic);
      expect(sums.table).toEqual(sums.topic);
      expect(sums.distinct).toBe(sums.rows.leaderboard);
    });
  });

  test('an INSERT less: the state does not fit, the topic is read again, and the message says what that means', async () => {
    await own.up();
    await own.setSql(own.shippedSql.replace(/INSERT INTO mv_color_performance_trends[\s\S]*?;\n/, ''));
    const up = await own.up();
    expect(up.message).toMatch(/does not fit the new SQL, so the topic is read again from its start: .* a second time/);
    await waitFor(async () => {
      const sums = await own.sums();
      expect(sums.view).toEqual(sums.topic);
      expect(sums.table).toEqual(sums.topic);
    });
  });

  test('another aggregate: tasks cannot read their state, and that is no restart without end', async () => {
    await own.up();
    await own.setSql(
      own.shippedSql.replace(
        'SUM(CAST(score AS BIGINT)), COUNT(*) FILTER',
        'SUM(CAST(score AS BIGINT)) + MAX(CHAR_LENGTH(balloon_color)) * 0, COUNT(*) FILTER',
      ),
    );
    const up = await own.up();
    expect(up).toMatchObject({ status: 'changed' });
    expect(up.message).toMatch(/does not fit the new SQL/);
    await waitFor(async () => {
      const sums = await own.sums();
      expect(sums.view).toEqual(sums.topic);
    });
  });

  test('a statement that Flink refuses is named, no secret is shown, and the job of before can be had again', async () => {
    await own.setSql(own.shippedSql.replace("'connector' = 'jdbc'", "'connector' = 'no-such-connector'"));
    const up = await own.up();
    expect(up).toMatchObject({ status: 'failed', error: { code: 'SQL_FAILED', exitCode: 4 } });
    expect(up.message).toMatch(/refused statement \d+ \(EXECUTE STATEMENT SET\).*no-such-connector/s);
    await own.setSql(own.shippedSql.replace('CREATE TEMPORARY TABLE mv_leaderboard', 'CREATE TEMPORARY TABEL mv_leaderboard'));
    const syntax = await own.up();
    expect(syntax.message).toMatch(/refused statement \d+ \(CREATE TEMPORARY TABEL mv_leaderboard/);
    for (const name of ['views', 'aws']) {
      const secret = Object.values(own.stack.credentials.get(name)).at(-1)!.reveal();
      expect(own.shippedSql).toContain(secret);
      for (const { message, error } of [up, syntax]) expect(`${message} ${inspect(error)}`).not.toContain(secret);
    }
    expect(await sqlGateway(own.stack).isRunning()).toBe(false);
    await own.setSql(own.shippedSql);
    expect(await own.up()).toMatchObject({ status: 'changed' });
    expect(await own.up('check')).toMatchObject({ status: 'ok' });
  });

  // Last: from then on the topic holds what no sum can be compared with.
  test('poison in the topic does not stop it, and the others are counted', async () => {
    await own.up();
    const { id } = (await own.job())!;
    const now = new Date().toISOString();
    const event = (part: object): string =>
      JSON.stringify({ player: 'Ann', balloon_color: 'red', score: 1, favorite_color_bonus: false, event_ts: now, ...part });
    await own.sendRaw([
      'not JSON',
      '',
      'null',
      '[]',
      '{"player":',
      event({ player: null }),
      event({ balloon_color: null }),
      event({ score: null }),
      event({ score: 1e99 }),
      event({ score: 'many' }),
      event({ player: 'No such', score: null }),
      event({ favorite_color_bonus: 'maybe' }),
      event({ event_ts: null }),
      event({ event_ts: 'yesterday' }),
      event({ event_ts: '1970-01-01T00:00:00Z' }),
      event({ event_ts: '9999-12-31T23:59:59Z' }),
      event({ extra: { nested: [1, 2] } }),
    ]);
    await own.send(20, ['Dora']);
    await waitFor(async () => expect((await own.sums()).table['Dora']).toBe((await own.sums()).topic['Dora']));
    await own.checkpoint();
    const job = (await own.job())!;
    expect(job).toMatchObject({ id, allTasksRunning: true });
    expect(await own.flink.lastFailure(id)).toBeUndefined();
    // An event that is dated far ahead closes no window of the others.
    const lake = await openLake(own.stack, signal);
    const scores = async (player: string): Promise<number> => {
      const loaded = await lake.load({ namespace: own.name, name: 'realtime_scores' });
      return loaded === undefined ? 0 : (await lake.rows(loaded)).filter((row) => row['player'] === player).length;
    };
    await own.send(5, ['Emil']);
    await waitFor(async () => {
      // Later events tell the windows that time goes on.
      await own.send(7, ['Fritz']);
      expect(await scores('Emil')).toBeGreaterThan(0);
    });
  });
});
