import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { flinkClient, type FlinkClient } from '../../../src/clients/flink.js';
import { stackCatalog } from '../../../src/clients/iceberg.js';
import { waitUntil } from '../../../src/clients/wait.js';
import { sqlGateway } from '../../../src/components/flink/gateway.js';
import { flinkJob } from '../../../src/modules/flink-job.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const name = `contract_job_${process.pid}`;
const script = ({ scratch }: TestWorld): string => join(scratch, `${name}.sql`);
const flinkOf = ({ stack }: TestWorld): FlinkClient => flinkClient(stack.endpoints['flink']!.url, new AbortController().signal);

/** A job as small as one can be. */
const writeSql = (world: TestWorld, perSecond: number): Promise<void> =>
  writeFile(
    script(world),
    `SET 'pipeline.name' = '${name}';
CREATE TEMPORARY TABLE ticks (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '${perSecond}');
CREATE TEMPORARY TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nowhere SELECT n FROM ticks;
`,
    { mode: 0o600 },
  );

async function cancel(world: TestWorld): Promise<void> {
  const flink = flinkOf(world);
  const running = async () => (await flink.jobs()).filter((job) => job.name === name && job.status !== 'CANCELED');
  for (const { id } of await running()) await flink.cancel(id);
  await waitUntil(async () => (await running()).length === 0, { what: 'the job to end', timeoutMs: 60_000 });
}

const table = { schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'n', type: 'long', required: true }] } } as const;

/** The table that the job is said to write; a new one has another UUID. */
async function makeTable({ stack }: TestWorld): Promise<void> {
  const catalog = stackCatalog(stack);
  await catalog.createNamespace(name, {});
  await catalog.dropTable(name, 'numbers');
  await catalog.createTable(name, {
    name: 'numbers',
    schema: { ...table.schema, fields: [...table.schema.fields] },
    'partition-spec': { 'spec-id': 0, fields: [] },
    'write-order': { 'order-id': 0, fields: [] },
    properties: { 'format-version': '2' },
  });
}

export const cases: ContractCase[] = [
  {
    module: flinkJob,
    title: 'a job that counts',
    args: (world) => ({ name, sql: script(world), namespace: name, tables: ['numbers'], database: 'postgres', views: [] }),
    world: async (world) => {
      await writeSql(world, 1);
      await makeTable(world);
      return world;
    },
    drift: [
      { what: 'cancelled', make: cancel },
      { what: 'its SQL changed', make: (world) => writeSql(world, 2) },
      { what: 'its table was made anew', make: makeTable },
      {
        what: 'an interrupted run left the SQL gateway',
        make: async ({ stack }) => void (await sqlGateway(stack).start(AbortSignal.timeout(90_000), () => {})),
      },
    ],
    unreachable: (world) => withClosedPort(world, 'flink'),
    cleanup: async (world, args) => {
      const signal = new AbortController().signal;
      await flinkJob.remove!(args, { stack: world.stack, signal, progress: () => {}, waitingFor: () => {} });
      await stackCatalog(world.stack).dropTable(name, 'numbers');
      await stackCatalog(world.stack).dropNamespace(name);
    },
  },
];
