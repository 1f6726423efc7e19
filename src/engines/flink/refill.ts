import { hasEnded, runSql, type FlinkClient } from '../../clients/flink.js';
import { waitUntil } from '../../clients/wait.js';
import { serverError } from '../../errors.js';
import { cancelJob } from './job.js';
import { splitStatements } from './statements.js';

export interface Refill {
  flink: FlinkClient;
  gatewayUrl: string;
  /** Name of the jobs that fill: not that of the job itself. */
  name: string;
  /** A script with an INSERT of its own for each view, from a source that ends. */
  sql: string;
  views: readonly string[];
  signal: AbortSignal;
  progress: (text: string) => void;
}

const INTO = /^(?:\s|--[^\n]*\n)*INSERT\s+INTO\s+`?(\w+)/i;

/**
 * Fills views from what the topic holds now, while the job that keeps them does not run, and waits until that is done.
 * @throws ForgeError SQL_FAILED, REFILL_FAILED
 */
export async function refillViews({ flink, gatewayUrl, name, sql, views, signal, progress }: Refill): Promise<void> {
  await endRefills(flink, name, signal);
  const statements = splitStatements(sql).filter((statement) => {
    const into = INTO.exec(statement)?.[1];
    return into === undefined || views.includes(into);
  });
  progress(`filling ${views.join(', ')} from the topic`);
  // Nothing is kept of it: when it is broken off, it begins anew. Zero would say that, and the gateway refuses it.
  const properties = {
    'execution.checkpointing.interval': '365d',
    'execution.checkpointing.checkpoints-after-tasks-finish.enabled': 'false',
  };
  const results = await runSql(gatewayUrl, statements, { properties, signal });
  const ids = results.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId]));
  await waitUntil(
    async () => {
      const jobs = (await flink.jobs()).filter(({ id }) => ids.includes(id));
      const failed = jobs.find((job) => hasEnded(job) && job.status !== 'FINISHED');
      if (failed !== undefined)
        throw serverError({
          code: 'REFILL_FAILED',
          message: `${views.join(', ')} could not be filled from the topic: ${(await flink.lastFailure(failed.id)) ?? failed.status}`,
          hint: 'See `forge logs flink`; `forge up` tries again',
        });
      return jobs.length === ids.length && jobs.every(hasEnded);
    },
    { signal, what: `${views.join(', ')} to be filled from the topic` },
  );
}

/** Ends what an interrupted run may have left filling: its older values would be written over newer ones. */
export async function endRefills(flink: FlinkClient, name: string, signal: AbortSignal): Promise<void> {
  const left = (await flink.jobs()).filter((job) => job.name === name && !hasEnded(job));
  for (const job of left) await cancelJob(flink, job, signal);
}
