import { flinkClient, hasEnded } from '../clients/flink.js';
import { withRisingWave } from '../engines/risingwave/connect.js';
import { healthOf, type SinkFailure } from '../engines/risingwave/health.js';
import type { ObjectName } from '../engines/risingwave/statements.js';
import type { StackContext } from '../workspace/context.js';
import type { Pipeline } from './pipeline.js';

/** As `forge verify` calls what runs the stream SQL. */
export const jobName = ({ running }: Pipeline): string => (running.engine === 'flink' ? `job ${running.job}` : 'RisingWave');
/** As it calls the place of the views. */
export const viewsName = ({ running }: Pipeline): string => (running.engine === 'flink' ? 'views in PostgreSQL' : 'views in RisingWave');

/** When a table was last written; undefined when that cannot be told. */
export type LastCommit = (table: string) => Promise<Date | undefined>;

/** What the engine says of itself; throws when it does not run as it should. */
export const jobState = (stack: StackContext, { running }: Pipeline, lastCommit: LastCommit, signal: AbortSignal): Promise<string> =>
  running.engine === 'flink' ? flinkState(stack, running.job, signal) : risingwaveState(stack, running.objects, lastCommit, signal);

async function flinkState(stack: StackContext, name: string, signal: AbortSignal): Promise<string> {
  const flink = flinkClient(stack.endpoints['flink']!.url, signal);
  const named = (await flink.jobs()).filter((job) => job.name === name).sort((a, b) => b.startedAt - a.startedAt);
  const job = named.find((it) => !hasEnded(it)) ?? named[0];
  if (job === undefined) throw new Error('it does not run: `forge up` submits it');
  if (!job.allTasksRunning) {
    const cause = await flink.lastFailure(job.id);
    throw new Error(`it is ${job.status.toLowerCase()}${cause === undefined ? '' : `: ${cause}`}`);
  }
  const { completed, lastCompletedAt } = await flink.checkpoints(job.id);
  const age = lastCompletedAt === null ? '' : `, the last ${Math.max(0, Math.round((Date.now() - lastCompletedAt) / 1000))} s ago`;
  return `running, ${completed} checkpoints${age}`;
}

async function risingwaveState(stack: StackContext, objects: ObjectName[], lastCommit: LastCommit, signal: AbortSignal): Promise<string> {
  const { problems, failures, lag } = await withRisingWave(stack, (client) => healthOf(client, objects), signal);
  const standing = await stillFailing(failures, lastCommit);
  const said = [...problems, ...standing.map(({ sink, at, error }) => `sink ${sink} failed at ${at.toISOString()}: ${error}`)];
  if (said.length > 0) throw new Error(`${said.join('; ')}${problems.length > 0 ? ' (`forge up` makes what is missing)' : ''}`);
  const count = (kind: ObjectName['kind']): number => objects.filter((object) => object.kind === kind).length;
  const waiting = lag === null ? '' : `, ${lag} records behind Kafka`;
  return `${count('materialized view')} views and ${count('sink')} sinks are created${waiting}`;
}

/** The newest failure of each sink that has written nothing since. */
export async function stillFailing(failures: SinkFailure[], lastCommit: LastCommit): Promise<SinkFailure[]> {
  const newest = failures.filter(({ sink }, at) => failures.findIndex((other) => other.sink === sink) === at);
  const standing: SinkFailure[] = [];
  for (const failure of newest) {
    const committed = await lastCommit(failure.sink).catch(() => undefined);
    if (committed === undefined || committed <= failure.at) standing.push(failure);
  }
  return standing;
}
