import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvResult } from '../../../src/cli/schemas.js';
import { tableFacts } from '../../../src/clients/iceberg.js';
import { currentSnapshot } from '../../../src/doctor/checks/tables/loaded.js';
import type { Sandbox } from '../forge.js';
import { rows, waitFor } from '../lake.js';
import { play } from '../sums.js';
import type { Fault } from './fault.js';
import { submitByHand } from './foreign-job.js';
import { cancelJobs, catalogOf, inCatalogDatabase, JOB, NAMESPACE, partsOf, s3Of, tableOf, theJob } from './lake.js';

const TABLES = ['leaderboard', 'balloon_color_stats', 'realtime_scores', 'balloon_colored_pops', 'color_performance_trends'];

async function drop(box: Sandbox, ...tables: string[]): Promise<void> {
  const catalog = await catalogOf(box);
  for (const table of tables) await catalog.dropTable(NAMESPACE, table);
}

async function change(box: Sandbox, table: string, ...updates: { [key: string]: unknown; action: string }[]): Promise<void> {
  await (await catalogOf(box)).commitTable(NAMESPACE, table, [], updates);
}

/** Runs SQL in the database of the views, as the user that owns them. */
const psql = async (box: Sandbox, sql: string): Promise<void> => void (await rows(await box.ok<EnvResult>(['env']), sql));

async function deleteObjects(box: Sandbox, addresses: (string | null | undefined)[]): Promise<() => Promise<void>> {
  const s3 = await s3Of(box);
  const kept: { bucket: string; key: string; bytes: Uint8Array }[] = [];
  for (const address of addresses) {
    const [bucket, key] = partsOf(address!);
    kept.push({ bucket, key, bytes: (await s3.getObject(bucket, key))! });
    await s3.deleteObject(bucket, key);
  }
  return async () => {
    for (const { bucket, key, bytes } of kept) await s3.putObject(bucket, key, bytes);
  };
}

const newestList = async (box: Sandbox): Promise<string | undefined> =>
  currentSnapshot(await tableOf(box, 'leaderboard'))?.['manifest-list'];

const catalogFaults: Fault[] = [
  {
    name: 'the namespace and all tables are dropped',
    async inject(box) {
      await drop(box, ...TABLES);
      await (await catalogOf(box)).dropNamespace(NAMESPACE);
      return undefined;
    },
    finding: { id: 'catalog-objects', cause: /namespace/ },
    mend: 'fix',
  },
  {
    name: "the mark in the catalog's warehouse is gone, as after LocalStack lost its data",
    async inject(box) {
      const s3 = await s3Of(box);
      const [bucket] = partsOf((await tableOf(box, 'leaderboard')).metadata.location);
      for await (const { key } of s3.listObjects(bucket)) await s3.deleteObject(bucket, key);
      return undefined;
    },
    finding: { id: 'catalog-objects', cause: /warehouse .* is not there/ },
    mend: 'fix',
  },
  {
    name: "the catalog's table of tables is gone from its database",
    async inject(box) {
      await inCatalogDatabase(box, (client) => client.query('ALTER TABLE iceberg_tables RENAME TO iceberg_tables_away'));
      return () => inCatalogDatabase(box, (client) => client.query('ALTER TABLE iceberg_tables_away RENAME TO iceberg_tables'));
    },
    finding: { id: 'catalog-access', component: 'iceberg-rest', cause: /iceberg_tables|UncheckedSQL/ },
    mend: 'undo',
  },
];

const tableFaults: Fault[] = [
  {
    name: 'a table is dropped',
    async inject(box) {
      await drop(box, 'leaderboard');
      return undefined;
    },
    finding: { id: 'table-missing', cause: /^table-leaderboard: table balloon_pops\.leaderboard is missing$/ },
    mend: 'fix',
  },
  {
    name: 'a property of a table is changed',
    async inject(box) {
      await change(box, 'leaderboard', { action: 'set-properties', updates: { 'write.parquet.page-size-bytes': '1048576' } });
      return undefined;
    },
    finding: { id: 'table-schema', cause: /page-size-bytes is 1048576, should be 65536/ },
    mend: 'fix',
  },
  {
    name: 'the sort order of a table is changed',
    async inject(box) {
      const fields = [{ 'source-id': 1, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }];
      await change(
        box,
        'realtime_scores',
        { action: 'add-sort-order', 'sort-order': { 'order-id': 7, fields } },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
      );
      return undefined;
    },
    finding: { id: 'table-schema', cause: /sort is player asc nulls first, should be \(none\)/ },
    mend: 'fix',
  },
  {
    name: 'the metadata file of a table is gone from the bucket',
    async inject(box) {
      await cancelJobs(box);
      await deleteObjects(box, [(await tableOf(box, 'balloon_color_stats'))['metadata-location']]);
      return undefined;
    },
    finding: { id: 'table-objects', component: 'localstack', cause: /balloon_color_stats.*gone from s3:/ },
    mend: 'fix',
  },
  {
    name: 'the newest snapshot of a table has lost its list of files',
    async inject(box) {
      // A row before this one may have made the table anew.
      await play(box, 20);
      await waitFor(async () => {
        if ((await newestList(box)) === undefined) throw new Error('leaderboard has no snapshot yet');
      });
      await cancelJobs(box);
      return deleteObjects(box, [await newestList(box)]);
    },
    finding: { id: 'table-objects', component: 'localstack', cause: /leaderboard: s3:.*snap-/ },
    mend: 'undo',
  },
];

const viewFaults: Fault[] = [
  {
    name: 'a view is dropped',
    async inject(box) {
      await psql(box, 'DROP TABLE mv_leaderboard');
      return () => play(box, 200);
    },
    finding: { id: 'view-missing', component: 'postgresql', cause: /mv_leaderboard/ },
    mend: 'fix',
  },
  {
    name: 'a column of a view has another type',
    async inject(box) {
      await psql(box, 'ALTER TABLE mv_leaderboard ALTER COLUMN total_score TYPE text');
      return () => play(box, 200);
    },
    finding: { id: 'view-columns', component: 'postgresql', cause: /total_score is text, should be bigint/ },
    mend: 'fix',
  },
  {
    name: 'a view is emptied',
    async inject(box) {
      await psql(box, 'CREATE TABLE kept AS SELECT * FROM mv_leaderboard; TRUNCATE mv_leaderboard');
      return () => psql(box, 'INSERT INTO mv_leaderboard SELECT * FROM kept ON CONFLICT DO NOTHING; DROP TABLE kept');
    },
    finding: {
      id: 'events-stop',
      component: 'flink',
      severity: 'warning',
      cause: /mv_leaderboard lacks at least \d+ of them: it is empty/,
    },
    mend: 'undo',
  },
];

const jobFaults: Fault[] = [
  {
    name: 'the job is cancelled',
    async inject(box) {
      await cancelJobs(box);
      return undefined;
    },
    finding: { id: 'job-missing', component: 'flink', cause: /no job balloon-popper is running/ },
    mend: 'fix',
  },
  {
    name: 'the job is submitted a second time, by hand',
    async inject(box) {
      await submitByHand(box, 2);
      return undefined;
    },
    finding: { id: 'job-twice', component: 'flink', cause: /2 jobs named balloon-popper were running/ },
    mend: 'fix',
  },
  {
    name: 'a table is dropped and made again by hand: the job writes the old one',
    async inject(box) {
      const loaded = await tableOf(box, 'leaderboard');
      const { schema, partitionSpec, sortOrder } = tableFacts(loaded);
      await drop(box, 'leaderboard');
      const properties = loaded.metadata.properties ?? {};
      await (
        await catalogOf(box)
      ).createTable(NAMESPACE, { name: 'leaderboard', schema, 'partition-spec': partitionSpec, 'write-order': sortOrder, properties });
      return undefined;
    },
    finding: { id: 'job-old-tables', component: 'flink', cause: /table leaderboard is a new one/ },
    mend: 'fix',
  },
  {
    name: 'the folder of the checkpoints cannot be written',
    async inject(box) {
      const { id } = await theJob(box);
      const jobs = join(box.root, '.forge', 'data', 'flink', 'jobs', JOB);
      const folder = readdirSync(jobs)
        .map((identity) => join(jobs, identity, id))
        .find((path) => readdirSync(join(path, '..')).includes(id))!;
      renameSync(folder, `${folder}.away`);
      writeFileSync(folder, 'not a folder');
      return () => {
        rmSync(folder, { recursive: true, force: true });
        renameSync(`${folder}.away`, folder);
      };
    },
    finding: { id: 'checkpoints-failing', component: 'flink', cause: /checkpoint|chk-/i },
    mend: 'undo',
  },
];

/** In what the catalog, the tables, the views and the job hold. */
export const dataFaults: readonly Fault[] = [...catalogFaults, ...tableFaults, ...viewFaults, ...jobFaults];
