import { stackCatalog } from '../../../src/clients/iceberg.js';
import { waitUntil } from '../../../src/clients/wait.js';
import { createRequest, tableSchema } from '../../../src/modules/iceberg-table-shape.js';
import { statementOf } from '../../../src/modules/risingwave-object.js';
import { risingwaveSink } from '../../../src/modules/risingwave-sink.js';
import { risingwaveSource } from '../../../src/modules/risingwave-source.js';
import { risingwaveView } from '../../../src/modules/risingwave-view.js';
import type { ObjectKind } from '../../../src/engines/risingwave/statements.js';
import { openCredentials } from '../../../src/workspace/credentials.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { withFakeRisingWave, type RisingWaveWorld } from '../../helpers/fake-risingwave/world.js';
import { contextOf } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const namespace = `contract_rw_${process.pid}`;
const SOURCE = 'balloon-popper/risingwave/source.sql';
const SINK = 'balloon-popper/risingwave/sink.sql';
const EVENTS = { name: 'balloon_game_events', template: SOURCE };
const IN_TIME = { name: 'balloon_game_events_in_time', template: SOURCE };
const LEADERBOARD = { name: 'mv_leaderboard', template: SOURCE };

const of = (world: TestWorld): RisingWaveWorld => world as RisingWaveWorld;
const psql =
  (...statements: string[]) =>
  async (world: TestWorld): Promise<void> => {
    for (const sql of statements) await of(world).psql(sql);
  };
const away = (world: TestWorld): Promise<TestWorld> => withClosedPort(world, 'risingwave');

/** What the object needs, made by hand: forge leaves it alone. */
async function make(world: TestWorld, kind: ObjectKind, args: { name: string; template: string }): Promise<void> {
  await of(world).psql(await statementOf(kind, args, contextOf(world)));
}

const NOTE = (name: string): string => `DELETE FROM forge.objects WHERE name = '${name}'`;

/** As a run leaves it that is killed between the creation and the note of it. */
const interrupted =
  (name: string) =>
  (world: TestWorld): Promise<void> => {
    const notes = of(world).risingwave.state.find('forge', 'objects')!.rows;
    notes.set(name, { ...notes.get(name)!, definition: '', shown: '' });
    return Promise.resolve();
  };

const upgraded = (world: TestWorld): Promise<void> => {
  const { state } = of(world).risingwave;
  state.version = 'PostgreSQL 13.14.0-RisingWave-3.1.0 (fake)';
  for (const entry of state.entries) entry.definition += ' ';
  return Promise.resolve();
};

async function makeTable({ stack }: TestWorld, name: string, columns: Record<string, string>): Promise<void> {
  const catalog = stackCatalog(stack);
  await catalog.createNamespace(namespace, {});
  await catalog.dropTable(namespace, name);
  const of = Object.entries(columns).map(([column, type]) => ({ name: column, type, required: true }));
  await catalog.createTable(namespace, createRequest(tableSchema.parse({ namespace, name, columns: of })));
}
const TOTALS = { player: 'string', total_score: 'long', bonus_hits: 'long', event_ts: 'timestamptz' };
const WINDOWS = { player: 'string', total_score: 'long', window_start: 'timestamptz', window_end: 'timestamptz' };

async function withTable(world: TestWorld, name: string, columns: Record<string, string>): Promise<TestWorld> {
  const made = await withFakeRisingWave(world);
  made.stack.config.lake.namespace = namespace;
  await makeTable(made, name, columns);
  return made;
}

async function dropTable({ stack }: TestWorld, name: string): Promise<void> {
  await stackCatalog(stack).dropTable(namespace, name);
  await stackCatalog(stack).dropNamespace(namespace);
}

const common = { unreachable: away, cleanup: (world: TestWorld) => of(world).risingwave.stop() } satisfies Partial<ContractCase>;

/** Becomes CREATED while forge waits for it. */
const stuck =
  (name: string) =>
  (world: TestWorld): Promise<void> => {
    of(world).risingwave.state.find('public', name)!.status = 'CREATING';
    return Promise.resolve();
  };
const release =
  (name: string) =>
  async (world: TestWorld): Promise<void> => {
    const { risingwave } = of(world);
    if (risingwave.state.find('public', name)?.status !== 'CREATING') return;
    const asked = (): number => risingwave.statements.filter((sql) => sql.includes('rw_streaming_jobs')).length;
    const before = asked();
    // Seen once to say so, and once more while it is waited for.
    await waitUntil(async () => asked() >= before + 2, { what: 'forge to wait for it', timeoutMs: 30_000 });
    risingwave.release(name);
  };

export const cases: ContractCase[] = [
  {
    ...common,
    module: risingwaveSource,
    title: 'the events from Kafka',
    world: withFakeRisingWave,
    args: () => EVENTS,
    drift: [
      { what: 'dropped', make: psql('DROP SOURCE balloon_game_events') },
      {
        what: 'made again by hand, with another column',
        make: psql(
          'DROP SOURCE balloon_game_events',
          "CREATE SOURCE balloon_game_events (player varchar) WITH (connector = 'kafka', topic = 'x', properties.bootstrap.server = 'k:1') FORMAT PLAIN ENCODE JSON",
        ),
      },
      { what: 'another topic is wanted', make: async (world) => void (world.stack.config.topic.name = `contract-${process.pid}`) },
      { what: 'the note of it is lost', make: psql(NOTE('balloon_game_events'), 'FLUSH') },
      { what: 'its creation was interrupted before it was noted', make: interrupted('balloon_game_events') },
      { what: 'RisingWave was upgraded and words it in another way', make: upgraded },
    ],
  },
  {
    ...common,
    module: risingwaveView,
    title: 'the leaderboard',
    world: async (world) => {
      const made = await withFakeRisingWave(world);
      await make(made, 'source', EVENTS);
      return made;
    },
    args: () => ({ ...LEADERBOARD, columns: Object.keys(TOTALS) }),
    meanwhile: release('mv_leaderboard'),
    drift: [
      { what: 'dropped', make: psql('DROP MATERIALIZED VIEW mv_leaderboard') },
      {
        what: 'made again by hand, without the filter',
        make: psql(
          'DROP MATERIALIZED VIEW mv_leaderboard',
          'CREATE MATERIALIZED VIEW mv_leaderboard AS SELECT player, sum(score) AS total_score FROM balloon_game_events GROUP BY player',
        ),
      },
      { what: 'still being created', make: stuck('mv_leaderboard') },
      { what: 'all notes are lost', make: psql('DROP TABLE forge.objects') },
    ],
  },
  {
    ...common,
    module: risingwaveSink,
    title: 'running totals, from a view',
    world: async (world) => {
      const made = await withTable(world, 'leaderboard', TOTALS);
      await make(made, 'source', EVENTS);
      await make(made, 'materialized view', LEADERBOARD);
      return made;
    },
    args: () => ({ name: 'leaderboard', template: SINK, namespace, table: 'leaderboard' }),
    drift: [
      { what: 'dropped', make: psql('DROP SINK leaderboard') },
      {
        what: 'another commit interval is wanted',
        make: async (world) => void (world.stack.config.components.risingwave.commitInterval = 7),
      },
      { what: 'its table was made anew', make: (world) => makeTable(world, 'leaderboard', TOTALS) },
      {
        what: 'the credentials of the object store are others',
        make: async (world) => {
          // The running stack's own stay as they are.
          const fields = Object.entries(world.stack.credentials.get('aws')).map(([field, value]) => [field, value.reveal()] as const);
          const own = openCredentials(workspaceAt(world.scratch));
          await own.write('aws', { ...Object.fromEntries(fields), secretAccessKey: 'rotated-in-the-contract' });
          world.stack.credentials = own;
        },
      },
    ],
    cleanup: async (world) => {
      await dropTable(world, 'leaderboard');
      await of(world).risingwave.stop();
    },
  },
  {
    ...common,
    module: risingwaveSink,
    title: 'windows that close, from a source',
    world: async (world) => {
      const made = await withTable(world, 'realtime_scores', WINDOWS);
      await make(made, 'source', IN_TIME);
      return made;
    },
    args: () => ({ name: 'realtime_scores', template: SINK, namespace, table: 'realtime_scores', windowEnd: 'window_end' }),
    drift: [{ what: 'dropped', make: psql('DROP SINK realtime_scores') }],
    cleanup: async (world) => {
      await dropTable(world, 'realtime_scores');
      await of(world).risingwave.stop();
    },
  },
];
