import { Config } from '@oclif/core';
import { packageRoot } from '../../../src/cli/paths.js';
import { runSql } from '../../../src/clients/flink.js';
import { sqlGateway } from '../../../src/components/flink/gateway.js';
import { openStack } from '../../../src/workspace/open.js';
import type { Sandbox } from '../forge.js';
import { waitFor } from '../lake.js';
import { activeJobs, flinkOf, JOB } from './lake.js';

/** A job of the stack's name that does something else. */
const STATEMENTS = [
  `SET 'pipeline.name' = '${JOB}'`,
  "SET 'parallelism.default' = '1'",
  "CREATE TEMPORARY TABLE numbers (n INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1')",
  "CREATE TEMPORARY TABLE nowhere (n INT) WITH ('connector' = 'blackhole')",
  'INSERT INTO nowhere SELECT n FROM numbers',
];

/** Submits a job of the same name by hand, as somebody would with Flink's own SQL client. */
export async function submitByHand(box: Sandbox, jobs: number): Promise<void> {
  const cacheDir = process.env['FORGE_CACHE_DIR'] || (await Config.load(packageRoot())).cacheDir;
  const { stack } = await openStack({ root: box.root, cacheDir, packageRoot: packageRoot() });
  const gateway = sqlGateway(stack);
  const signal = AbortSignal.timeout(120_000);
  try {
    const address = await gateway.start(signal, () => undefined);
    await runSql(address, STATEMENTS, { properties: {}, signal });
  } finally {
    await gateway.stop();
  }
  const flink = await flinkOf(box);
  await waitFor(async () => {
    const running = (await activeJobs(flink)).filter(({ allTasksRunning }) => allTasksRunning);
    if (running.length < jobs) throw new Error(`${running.length} jobs of this name run`);
  });
}
