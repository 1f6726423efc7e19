import type { EnvResult } from '../../src/cli/schemas.js';
import { icebergCatalog } from '../../src/clients/iceberg.js';
import { readRows, type Row } from '../../src/clients/iceberg-read.js';
import { readTopic } from '../../src/clients/kafka-read.js';
import { withPostgres } from '../../src/clients/postgresql.js';
import { connectS3 } from '../../src/clients/s3.js';
import { Secret } from '../../src/workspace/secret.js';

/** Runs SQL on the views with what `forge env` tells. */
export function rows(env: EnvResult, sql: string): Promise<Record<string, unknown>[]> {
  const target = {
    host: env.PGHOST,
    port: Number(env.PGPORT),
    user: env.PGUSER,
    password: new Secret(env.PGPASSWORD),
    database: env.PGDATABASE,
  };
  return withPostgres(target, (client) => client.query(sql));
}

/** The sum of the score by player over all events of the topic. */
export async function sumOfTopic(env: EnvResult): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  await readTopic(env.KAFKA_BOOTSTRAP_SERVERS, 'balloon-game', {
    onMessage: ({ value }) => {
      const { player, score } = JSON.parse(value) as { player: string; score: number };
      if (!player.startsWith('forge-probe-')) sums[player] = (sums[player] ?? 0) + score;
    },
  });
  return sums;
}

/** All rows of a table of the namespace balloon_pops. */
export async function tableRows(env: EnvResult, table: string): Promise<Row[]> {
  const catalog = icebergCatalog({ base: env.ICEBERG_REST_URI, label: 'catalog' });
  const loaded = await catalog.loadTable('balloon_pops', table);
  if (loaded === undefined) throw new Error(`there is no table ${table}`);
  const s3 = await connectS3({
    url: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    accessKeyId: new Secret(env.AWS_ACCESS_KEY_ID),
    secretAccessKey: new Secret(env.AWS_SECRET_ACCESS_KEY),
  });
  return readRows(loaded.metadata, async (address) => {
    const { host, pathname } = new URL(address);
    const bytes = await s3.getObject(host, decodeURIComponent(pathname.slice(1)));
    if (bytes === undefined) throw new Error(`${address} is gone`);
    return bytes;
  });
}

/** The newest running total of each player in the Iceberg leaderboard. */
export async function leaderboardOf(env: EnvResult): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const { player, total_score } of await tableRows(env, 'leaderboard')) {
    const name = String(player);
    if (!name.startsWith('forge-probe-')) totals[name] = Math.max(totals[name] ?? 0, Number(total_score));
  }
  return totals;
}

/** Repeats an assertion until it holds; after a minute its own failure is thrown. */
export async function waitFor(assertion: () => Promise<void>, limitMs = 60_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
