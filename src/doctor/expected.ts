import { quoteIdentifier } from '../clients/postgresql.js';
import { currentSequence } from '../clients/iceberg-read.js';
import type { StackContext } from '../workspace/context.js';
import { isWindowed, openLake, withViews, type LakeReader, type Pipeline } from './pipeline.js';

/** What a table of running totals has to hold. */
export interface Expectation {
  /** Whether it does; `rows` is what its metadata tell. */
  holds(rows: number): Promise<boolean>;
  /** What it lacks, in words. */
  lacks(rows: number): string;
}
export type Expectations = Record<string, Expectation>;

/** What was played, by player. */
export interface Played {
  acknowledged: number;
  byPlayer: Record<string, { events: number; score: number }>;
}

type Table = Pipeline['tables'][number];

/**
 * Looks at the tables of running totals before a game; gives what they have to hold after it. Flink appends a row for each
 * event, which can be counted. RisingWave appends one for each change that it sees, and so the totals themselves are looked at.
 */
export async function beforeGame(stack: StackContext, pipeline: Pipeline, signal: AbortSignal): Promise<(played: Played) => Expectations> {
  const lake = await openLake(stack, signal);
  const tables = pipeline.tables.filter((table) => !isWindowed(table));
  const makers = await Promise.all(
    tables.map(async (table) =>
      pipeline.running.engine === 'flink' ? await rowsExpected(lake, table) : await totalsExpected(stack, pipeline, lake, table, signal),
    ),
  );
  return (played) => Object.fromEntries(tables.map(({ name }, at) => [name, makers[at]!(played)]));
}

/** The rows of a table now, and one more for each event. */
async function rowsExpected(lake: LakeReader, table: Table): Promise<(played: Played) => Expectation> {
  const before = await lake.count(table);
  return ({ acknowledged }) => ({
    holds: async (rows) => rows >= before + acknowledged,
    lacks: (rows) => `${table.name} holds ${rows} of ${before + acknowledged} rows`,
  });
}

/** The column that a view and its table count up, and how much a game adds to it. */
const counterOf = ({ columns }: { columns: string[] }) =>
  columns.includes('balloon_pops') ? (['balloon_pops', 'events'] as const) : (['total_score', 'score'] as const);

async function totalsExpected(
  stack: StackContext,
  pipeline: Pipeline,
  lake: LakeReader,
  table: Table,
  signal: AbortSignal,
): Promise<(played: Played) => Expectation> {
  const [counter, adds] = counterOf(table);
  const keys = table.columns.filter((column) => column === 'player' || column === 'balloon_color');
  const keyOf = (row: Record<string, unknown>): string => JSON.stringify(keys.map((key) => row[key]));
  const view = pipeline.views.find(({ name }) => name === `mv_${table.name}`);
  if (view === undefined) throw new Error(`there is no view of ${table.name}`);
  const columns = [...keys, counter].map(quoteIdentifier).join(', ');
  const rows = await withViews(
    stack,
    view.database,
    (client) => client.query(`SELECT ${columns} FROM ${quoteIdentifier(view.name)}`),
    signal,
  );
  const before = new Map(rows.map((row) => [keyOf(row), Number(row[counter])]));
  const best = new Map<string, number>();
  const loaded = await lake.load(table);
  let seen = loaded === undefined ? 0 : currentSequence(loaded.metadata);

  const gainOf = (player: string): number =>
    [...best].reduce((sum, [key, total]) => (isOf(key, player) ? sum + Math.max(0, total - (before.get(key) ?? 0)) : sum), 0);
  const isOf = (key: string, player: string): boolean => (JSON.parse(key) as unknown[])[0] === player;
  const update = async (): Promise<void> => {
    const now = await lake.load(table);
    if (now === undefined) return;
    for (const row of await lake.rows(now, seen)) best.set(keyOf(row), Math.max(best.get(keyOf(row)) ?? 0, Number(row[counter])));
    seen = currentSequence(now.metadata);
  };
  return ({ byPlayer }) => {
    const behind = (): string[] => Object.keys(byPlayer).filter((player) => gainOf(player) < byPlayer[player]![adds]);
    return {
      async holds() {
        if (behind().length > 0) await update();
        return behind().length === 0;
      },
      lacks: () => `${table.name} lacks the totals of ${behind().join(', ')}`,
    };
  };
}
