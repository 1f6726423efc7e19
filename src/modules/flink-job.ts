import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { flinkClient, hasEnded, type FlinkClient, type FlinkJob } from '../clients/flink.js';
import { stackCatalog, tableFacts } from '../clients/iceberg.js';
import { isNoDatabase, quoteIdentifier, withPostgres } from '../clients/postgresql.js';
import { sqlGateway } from '../components/flink/gateway.js';
import { jobState } from '../components/flink/state.js';
import {
  cancelJob,
  endJob,
  findJob,
  identityOf,
  startingPoint,
  submitJob,
  type JobFinding,
  type StartingPoint,
  type WantedJob,
} from '../engines/flink/job.js';
import { stateFolder, type SavedState } from '../engines/flink/checkpoints.js';
import { endRefills, refillViews } from '../engines/flink/refill.js';
import { ForgeError, serverError, usageError } from '../errors.js';
import { waitUntil } from '../clients/wait.js';
import { postgresAdmin } from './connect.js';
import { readTemplate } from './template.js';
import { defineModule, type Observation, type TaskContext } from './contract.js';

const schema = z.strictObject({
  name: z.string().min(1).describe('Name of the job, unique on the cluster'),
  sql: z.string().min(1).describe('File with the script, as the template module wrote it'),
  namespace: z.string().min(1).describe('Iceberg namespace of the tables'),
  tables: z.array(z.string().min(1)).describe('Iceberg tables that the job writes'),
  database: z.string().min(1).describe('PostgreSQL database of the views'),
  views: z.array(z.string().min(1)).describe('Views that the job keeps; emptied when it reads the topic again from its start'),
  refill: z
    .string()
    .min(1)
    .optional()
    .describe("File below forge's own templates/ that, with `refill` set, fills each view from the topic: for those that were lost"),
});
type Args = z.output<typeof schema>;

/** A Flink SQL job, submitted through a SQL gateway that runs only meanwhile. */
export const flinkJob = defineModule<Args>({
  name: 'flink.job',
  summary: 'A streaming job of Flink SQL, known by its name, its SQL and the tables that it writes',
  schema,
  timeoutSeconds: 180,

  async observe(args, context): Promise<Observation> {
    const flink = flinkClient(context.stack.endpoints['flink']!.url, context.signal);
    const wanted = await wantedJob(args, context);
    if (wanted === undefined) {
      await flink.overview();
      return { state: 'missing', message: `no job ${args.name} is running, and its script is not written yet` };
    }
    const finding = await findJob(flink, wanted);
    const leftOver = await sqlGateway(context.stack).isRunning();
    return leftOver && finding.state === 'running'
      ? drift('SQL gateway', 'running', 'stopped', 'an interrupted run left the SQL gateway running')
      : observationOf(finding);
  },

  async apply(args, _observation, context): Promise<string> {
    const { stack, signal } = context;
    const flink = flinkClient(stack.endpoints['flink']!.url, signal);
    const wanted = await wantedJob(args, context);
    if (wanted === undefined) throw missingScript(args.sql);
    const gateway = sqlGateway(stack);
    try {
      await gateway.stopLeftOver();
      const { finding: found, several } = await keepOne(flink, wanted, signal);
      if (several !== undefined && found.state === 'running') return several;
      const before = several === undefined ? '' : `${several}; `;
      if (found.state === 'running') return 'the SQL gateway that an interrupted run left was stopped';
      let finding = found;
      if (finding.state === 'settling') {
        context.waitingFor(`${finding.why}, to run again`);
        if (await runsAgain(flink, finding.job, signal)) return `${before}${finding.why}; it runs again`;
        finding = { state: 'absent', why: finding.why };
      }
      const gatewayUp = gateway.start(signal, context.waitingFor);
      // An early failure of the gateway must not become an unhandled rejection while the old job is being stopped.
      gatewayUp.catch(() => undefined);
      const state = await jobState(stack, args.name, signal);
      if (finding.state === 'different') {
        context.progress('stopping the job with a savepoint');
        await endJob(flink, finding.job, await stateFolder(state, finding.was), signal);
      }
      const start = await startingPoint(state, identityOf(wanted));
      context.waitingFor('the SQL gateway');
      const gatewayUrl = await gatewayUp;
      context.waitingFor(`job ${args.name} to run`);
      const submit = async (from?: SavedState): Promise<void> => {
        await endRefills(flink, refillName(args), signal);
        if (from === undefined) await emptyViews(args, context);
        else if (start.refill.length > 0) await refill(args, flink, gatewayUrl, start.refill, context);
        const { id } = await submitJob({
          flinkUrl: stack.endpoints['flink']!.url,
          gatewayUrl,
          state,
          wanted,
          from,
          signal,
          progress: context.progress,
        });
        // On Kubernetes the gateway stays: what an interrupted run had asked of it may have come meanwhile.
        for (const job of await othersOf(flink, args.name, id)) await cancelJob(flink, job, signal);
      };
      return `${before}${finding.why}; submitted, ${await submitFrom(start, submit)}`;
    } finally {
      await gateway.stop();
    }
  },

  async remove(args, context): Promise<void> {
    const flink = flinkClient(context.stack.endpoints['flink']!.url, context.signal);
    // First, so that nothing is submitted any more.
    await sqlGateway(context.stack).stop();
    const jobs = (await flink.jobs()).filter((job) => job.name === args.name && !hasEnded(job));
    for (const job of jobs) await cancelJob(flink, job, context.signal);
    await endRefills(flink, refillName(args), context.signal);
  },
});

/** More often than an interrupted run can have asked for it. */
const ROUNDS = 5;

/**
 * Ends all jobs of this name but one, also those that appear while others are being ended; `several` tells that there were more.
 * @throws ForgeError JOBS_APPEAR when there is no end to them
 */
async function keepOne(
  flink: FlinkClient,
  wanted: WantedJob,
  signal: AbortSignal,
): Promise<{ finding: Exclude<JobFinding, { state: 'several' }>; several?: string }> {
  let several: string | undefined;
  for (let round = 0; ; round++) {
    const finding = await findJob(flink, wanted);
    if (finding.state !== 'several') return { finding, ...(several === undefined ? {} : { several }) };
    if (round === ROUNDS)
      throw serverError({ code: 'JOBS_APPEAR', message: `${finding.why}, again`, hint: 'Something else submits them: end that first' });
    several = `${finding.why}; one was kept`;
    for (const job of finding.surplus) await cancelJob(flink, job, signal);
  }
}

const othersOf = async (flink: FlinkClient, name: string, own: string): Promise<FlinkJob[]> =>
  (await flink.jobs()).filter((job) => job.name === name && job.id !== own && !hasEnded(job));

const drift = (field: string, is: string, should: string, message: string): Observation => ({
  state: 'drifted',
  message,
  diff: [{ field, is, should }],
});

function observationOf(finding: JobFinding): Observation {
  switch (finding.state) {
    case 'running':
      return { state: 'in-sync' };
    case 'absent':
      return { state: 'missing', message: finding.why };
    case 'settling':
      return drift('status', finding.job.status, 'RUNNING', finding.why);
    case 'several':
      return drift('jobs', String(finding.surplus.length + 1), '1', finding.why);
    case 'different':
      return drift(finding.field, finding.is, finding.should, finding.why);
  }
}

const refillName = ({ name }: Args): string => `${name}-refill`;

async function refill(args: Args, flink: FlinkClient, gatewayUrl: string, views: string[], context: TaskContext): Promise<void> {
  if (args.refill === undefined) return;
  const name = refillName(args);
  const { text: sql } = await readTemplate(context, args.refill, { job: name, refill: true });
  const { signal, progress } = context;
  await refillViews({ flink, gatewayUrl, name, sql, views, signal, progress });
}

/** Undefined while the script or a table is not there yet. */
async function wantedJob(args: Args, context: TaskContext): Promise<WantedJob | undefined> {
  const { stack, signal } = context;
  const sql = await readFile(args.sql, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (sql === undefined) return undefined;
  const catalog = stackCatalog(stack);
  const loaded = await Promise.all(args.tables.map(async (name) => [name, await catalog.loadTable(args.namespace, name, signal)] as const));
  const tables: Record<string, string> = {};
  for (const [name, table] of loaded) if (table !== undefined) tables[name] = tableFacts(table).uuid;
  return { name: args.name, sql, tables, views: await viewsOf(args, context) };
}

/** By name, what a view is known by as long as it is not made anew: its database system and its number there. */
async function viewsOf({ views, database }: Args, context: TaskContext): Promise<Record<string, string>> {
  if (views.length === 0) return {};
  const rows = await withPostgres(
    postgresAdmin(context, database),
    (client) =>
      client.query<{ name: string; id: string }>(
        `SELECT relname AS name, (SELECT system_identifier FROM pg_control_system()) || '.' || oid AS id
         FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1)`,
        [views],
      ),
    { signal: context.signal },
  ).catch((error: unknown) => {
    // Without the database there is no view either.
    if (isNoDatabase(error)) return [];
    throw error;
  });
  return Object.fromEntries(rows.map(({ name, id }) => [name, id]));
}

/** Waits for a job that starts or recovers; false when it ends instead, as one does that somebody has just cancelled. */
async function runsAgain(flink: FlinkClient, { id, name }: FlinkJob, signal: AbortSignal): Promise<boolean> {
  const outcome = async (): Promise<'runs' | 'ended' | undefined> => {
    const job = (await flink.jobs()).find((it) => it.id === id);
    if (job === undefined || hasEnded(job)) return 'ended';
    return job.allTasksRunning ? 'runs' : undefined;
  };
  return (await waitUntil(outcome, { signal, what: `job ${name} to run again` })) === 'runs';
}

/** Submits from saved state where there is some; where the job cannot take it, from the start of the topic. Says which. */
async function submitFrom(start: StartingPoint, submit: (from?: SavedState) => Promise<void>): Promise<string> {
  try {
    await submit(start.from);
    return start.note;
  } catch (error) {
    if (!(error instanceof ForgeError) || error.code !== 'JOB_NOT_RESTORED') throw error;
    await submit();
    const why = /NoSuchKey|does not exist/.test(error.message)
      ? 'files that its saved state names are gone'
      : 'its saved state does not fit the new SQL';
    return `${why}, so the topic is read again from its start: the views are counted anew, the tables get rows of earlier events a second time`;
  }
}

async function emptyViews(args: Args, { stack, signal }: TaskContext): Promise<void> {
  if (args.views.length === 0) return;
  const { host, port } = stack.endpoints['postgresql']!;
  const { username, password } = stack.credentials.get('views');
  await withPostgres(
    { host, port, user: username!.reveal(), password: password!, database: args.database },
    (client) => client.query(`TRUNCATE ${args.views.map(quoteIdentifier).join(', ')}`),
    { signal },
  );
}

const missingScript = (file: string): ForgeError =>
  usageError({
    code: 'SCRIPT_MISSING',
    message: `The job's script ${file} is not there`,
    hint: 'The task that writes it has to come first (needs)',
  });
