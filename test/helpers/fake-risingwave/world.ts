import { withRisingWave } from '../../../src/engines/risingwave/connect.js';
import type { Config } from '../../../src/config/schema.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { withViews } from '../../../src/doctor/pipeline.js';
import type { TestWorld } from '../world.js';
import type { Manners } from './execute.js';
import { OID } from './system.js';
import { startFakeRisingWave, type StartedRisingWave } from './start.js';

/** A world whose engine is the stand-in; the other servers are those of the running stack. */
export interface RisingWaveWorld extends TestWorld {
  risingwave: StartedRisingWave;
  /** SQL behind forge's back. */
  psql(sql: string): Promise<Record<string, unknown>[]>;
}

/** Its configuration is a copy, so that a test may change it. */
export async function withFakeRisingWave(world: TestWorld, manners: Pick<Manners, 'views'> = {}): Promise<RisingWaveWorld> {
  const risingwave = await startFakeRisingWave(manners);
  const at = { host: '127.0.0.1', port: risingwave.port, url: `postgresql://127.0.0.1:${risingwave.port}/dev` };
  const stack: StackContext = {
    ...world.stack,
    engine: 'risingwave',
    config: structuredClone<Config>(world.stack.config),
    endpoints: { ...world.stack.endpoints, risingwave: { ...at, inside: at } },
    ports: { ...world.stack.ports, risingwave: risingwave.port },
  };
  return { ...world, stack, risingwave, psql: (sql) => withRisingWave(stack, (client) => client.query(sql)) };
}

/** Reads of the views are answered by the database in which Flink keeps them: the same rows, by the same names. */
export const viewsOfFlink =
  ({ stack }: TestWorld): NonNullable<Manners['views']> =>
  async (sql) => {
    const rows = await withViews(
      { ...stack, engine: 'flink' },
      stack.config.views.database,
      (client) => client.query(sql),
      AbortSignal.timeout(20_000),
    );
    const names = Object.keys(rows[0] ?? {});
    const text = (value: unknown): string | null => (value === null ? null : value instanceof Date ? value.toISOString() : String(value));
    return { columns: names.map((name) => ({ name, oid: OID.varchar })), rows: rows.map((row) => names.map((name) => text(row[name]))) };
  };
