import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvResult } from '../../../src/cli/schemas.js';
import { flinkClient, hasEnded, type FlinkClient, type FlinkJob } from '../../../src/clients/flink.js';
import { icebergCatalog, type IcebergCatalog, type LoadTableResult } from '../../../src/clients/iceberg.js';
import { withPostgres, type PostgresClient } from '../../../src/clients/postgresql.js';
import { connectS3, type S3Client } from '../../../src/clients/s3.js';
import { Secret } from '../../../src/workspace/secret.js';
import type { Sandbox } from '../forge.js';
import { waitFor } from '../lake.js';

export const NAMESPACE = 'balloon_pops';
export const JOB = 'balloon-popper';

const env = (box: Sandbox): Promise<EnvResult> => box.ok<EnvResult>(['env']);

export async function catalogOf(box: Sandbox): Promise<IcebergCatalog> {
  return icebergCatalog({ base: (await env(box)).ICEBERG_REST_URI, label: 'catalog' });
}

export async function tableOf(box: Sandbox, name: string): Promise<LoadTableResult> {
  const loaded = await (await catalogOf(box)).loadTable(NAMESPACE, name);
  if (loaded === undefined) throw new Error(`there is no table ${name}`);
  return loaded;
}

export async function s3Of(box: Sandbox): Promise<S3Client> {
  const it = await env(box);
  return connectS3({
    url: it.AWS_ENDPOINT_URL,
    region: it.AWS_REGION,
    accessKeyId: new Secret(it.AWS_ACCESS_KEY_ID),
    secretAccessKey: new Secret(it.AWS_SECRET_ACCESS_KEY),
  });
}

export const partsOf = (address: string): [bucket: string, key: string] => {
  const { host, pathname } = new URL(address);
  return [host, decodeURIComponent(pathname.slice(1))];
};

/** Works in the catalog's own database, as its user. */
export async function inCatalogDatabase<T>(box: Sandbox, use: (client: PostgresClient) => Promise<T>): Promise<T> {
  const { PGHOST: host, PGPORT } = await env(box);
  const file = join(box.root, '.forge', 'credentials', 'catalog-db.json');
  const { username, password } = JSON.parse(readFileSync(file, 'utf8')) as { username: string; password: string };
  return withPostgres({ host, port: Number(PGPORT), user: username, password: new Secret(password), database: 'catalog' }, use);
}

export async function flinkOf(box: Sandbox): Promise<FlinkClient> {
  return flinkClient(String((await env(box))['FLINK_URL']), AbortSignal.timeout(120_000));
}

export async function activeJobs(flink: FlinkClient): Promise<FlinkJob[]> {
  return (await flink.jobs()).filter((job) => job.name === JOB && !hasEnded(job));
}

export async function theJob(box: Sandbox): Promise<FlinkJob> {
  const [job] = await activeJobs(await flinkOf(box));
  if (job === undefined) throw new Error('the job does not run');
  return job;
}

export async function cancelJobs(box: Sandbox): Promise<void> {
  const flink = await flinkOf(box);
  for (const { id } of await activeJobs(flink)) await flink.cancel(id);
  await waitFor(async () => {
    if ((await activeJobs(flink)).length > 0) throw new Error('the job has not ended');
  });
}
