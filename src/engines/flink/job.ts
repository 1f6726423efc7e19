import { ForgeError, serverError } from '../../errors.js';
import { flinkClient, hasEnded, runSql, type FlinkClient, type FlinkJob } from '../../clients/flink.js';
import { waitUntil } from '../../clients/wait.js';
import { hashOf, newestState, stateFolder, type JobIdentity, type SavedState, type StateStore } from './checkpoints.js';
import { splitStatements } from './statements.js';

const SQL_HASH = 'forge.sql-hash';
const TABLE = 'forge.table.';
const VIEW = 'forge.view.';
/** For a job that somebody else submitted. */
const NO_HASH = 'none';

/** A streaming job as it should be. */
export interface WantedJob {
  name: string;
  /** The whole script, secrets in place. */
  sql: string;
  /** UUIDs of the Iceberg tables that it writes, by name. */
  tables: Record<string, string>;
  /** What tells each view in PostgreSQL from another one of its name. */
  views: Record<string, string>;
}

export type JobFinding =
  | { state: 'running'; job: FlinkJob }
  | { state: 'absent'; why: string }
  /** It runs, or tries to, and nothing but time is needed. */
  | { state: 'settling'; job: FlinkJob; why: string }
  /** More than one runs: `keep` is the one whose state counts. */
  | { state: 'several'; keep: FlinkJob; surplus: FlinkJob[]; why: string }
  /** What runs is not what is wanted. */
  | { state: 'different'; job: FlinkJob; was: JobIdentity; field: string; is: string; should: string; why: string };

export const identityOf = ({ sql, tables, views }: WantedJob): JobIdentity => ({ sqlHash: hashOf(sql), tables, views });

/** The identity that a job was submitted with, from its parameters. */
function identityFrom(parameters: Record<string, string>): JobIdentity {
  const named = (prefix: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(parameters).flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
    );
  return { sqlHash: parameters[SQL_HASH] ?? NO_HASH, tables: named(TABLE), views: named(VIEW) };
}

/** Identity as the parameters of a job. */
const parametersOf = ({ sqlHash, tables, views = {} }: JobIdentity): Record<string, string> => ({
  [SQL_HASH]: sqlHash,
  ...Object.fromEntries(Object.entries(tables).map(([name, uuid]) => [TABLE + name, uuid])),
  ...Object.fromEntries(Object.entries(views).map(([name, id]) => [VIEW + name, id])),
});

/** The views that were made anew since a job or its state knew them. */
const newViews = (now: JobIdentity, was: JobIdentity): string[] =>
  Object.entries(now.views ?? {}).flatMap(([name, id]) => ([undefined, id].includes(was.views?.[name]) ? [] : [name]));

/** Compares the jobs of this name on a cluster with the wanted one: by hash of the SQL, then by the tables and views written. */
export async function findJob(flink: FlinkClient, wanted: WantedJob): Promise<JobFinding> {
  const named = (await flink.jobs()).filter((job) => job.name === wanted.name);
  const active = named.filter((job) => !hasEnded(job));
  const [job] = active;
  if (job === undefined) {
    const failed = named.filter((it) => it.status === 'FAILED').sort((a, b) => b.startedAt - a.startedAt)[0];
    const cause = failed === undefined ? undefined : await flink.lastFailure(failed.id);
    return { state: 'absent', why: cause === undefined ? `no job ${wanted.name} is running` : `job ${wanted.name} had failed: ${cause}` };
  }
  if (active.length > 1) return several(flink, wanted, active);
  const was = identityFrom(await flink.parameters(job.id));
  const different = (field: string, is: string, should: string, why: string): JobFinding => ({
    state: 'different',
    job,
    was,
    field,
    is,
    should,
    why,
  });
  const identity = identityOf(wanted);
  if (was.sqlHash !== identity.sqlHash) return different('sql', was.sqlHash, identity.sqlHash, `the SQL of job ${wanted.name} changed`);
  for (const [name, uuid] of Object.entries(identity.tables)) {
    if (was.tables[name] !== uuid) return different(`table ${name}`, was.tables[name] ?? 'none', uuid, `table ${name} is a new one`);
  }
  for (const name of newViews(identity, was))
    return different(`view ${name}`, was.views?.[name] ?? 'none', identity.views?.[name] ?? 'none', `view ${name} is a new one`);
  if (job.allTasksRunning) return { state: 'running', job };
  const cause = await flink.lastFailure(job.id);
  return { state: 'settling', job, why: `job ${wanted.name} was ${job.status.toLowerCase()}${cause === undefined ? '' : `: ${cause}`}` };
}

/** The wanted one stays, the longest-running where there are more; else one that forge submitted, whose state can be found; one that is being cancelled last. */
async function several(flink: FlinkClient, wanted: WantedJob, active: FlinkJob[]): Promise<JobFinding> {
  const { sqlHash } = identityOf(wanted);
  const known = await Promise.all(
    active.map(async (job) => {
      const identity = identityFrom(await flink.parameters(job.id));
      const rank = job.status === 'CANCELLING' ? 3 : identity.sqlHash === sqlHash ? 0 : identity.sqlHash === NO_HASH ? 2 : 1;
      return { job, rank };
    }),
  );
  known.sort((a, b) => a.rank - b.rank || a.job.startedAt - b.job.startedAt);
  const [keep, ...surplus] = known.map(({ job }) => job);
  return { state: 'several', keep: keep!, surplus, why: `${active.length} jobs named ${wanted.name} were running` };
}

/** From where a job starts, and what to tell about it. */
export interface StartingPoint {
  from?: SavedState;
  /** Views that are new and empty, while the state goes on from where it was. */
  refill: string[];
  /** For the recap. */
  note: string;
}

/**
 * Saved state is used unless every table is a new one: then the tables are empty, and what they should hold is read again
 * from the start of the topic. With some of the tables replaced, state is kept, so that the others get no row twice.
 */
export async function startingPoint(store: StateStore, identity: JobIdentity): Promise<StartingPoint> {
  const saved = await newestState(store);
  if (saved === undefined) return { refill: [], note: 'reading the topic from its start' };
  const names = Object.keys(identity.tables);
  // Which tables a job wrote that somebody submitted by hand is not known; taken for these, no row is written twice.
  const isKnown = saved.identity.sqlHash !== NO_HASH;
  const same = names.filter((name) => !isKnown || saved.identity.tables[name] === identity.tables[name]);
  if (names.length > 0 && same.length === 0) return { refill: [], note: 'its tables are new, so the topic is read again from its start' };
  const replaced = names.filter((name) => !same.includes(name));
  const note = saved.identity.sqlHash === identity.sqlHash ? 'resumed from its last checkpoint' : 'resumed from a savepoint';
  const refill = newViews(identity, saved.identity);
  const notes = [
    note,
    ...(replaced.length === 0 ? [] : [`${replaced.join(', ')} hold rows from now on`]),
    ...(refill.length === 0 ? [] : [`${refill.join(', ')} filled from the topic`]),
  ];
  return { from: saved, refill, note: notes.join('; ') };
}

/** Ends a job and keeps its state: with a savepoint where Flink can take one, else by cancelling (its checkpoints stay). */
export async function endJob(flink: FlinkClient, job: FlinkJob, savepoints: string, signal: AbortSignal): Promise<void> {
  try {
    if (!job.allTasksRunning) return await cancelJob(flink, job, signal);
    await flink.stopWithSavepoint(job.id, `file://${savepoints}`);
  } catch (error) {
    signal.throwIfAborted();
    if (await stillActive(flink, job.id)) return cancelJob(flink, job, signal);
    if (!isFlinkRefusal(error)) throw error;
  }
  await waitUntil(async () => !(await stillActive(flink, job.id)), { signal, what: `job ${job.name} to end` });
}

/** Ends a job at once; its checkpoints stay. */
export async function cancelJob(flink: FlinkClient, job: FlinkJob, signal: AbortSignal): Promise<void> {
  try {
    await flink.cancel(job.id);
  } catch (error) {
    // It may have ended meanwhile.
    if (signal.aborted || !isFlinkRefusal(error) || (await stillActive(flink, job.id))) throw error;
  }
  await waitUntil(async () => !(await stillActive(flink, job.id)), { signal, what: `job ${job.name} to end` });
}

const stillActive = async (flink: FlinkClient, id: string): Promise<boolean> =>
  (await flink.jobs()).some((job) => job.id === id && !hasEnded(job));
const isFlinkRefusal = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'SAVEPOINT_FAILED' || error.code === 'FLINK_REFUSED');

export interface Submission {
  flinkUrl: string;
  gatewayUrl: string;
  state: StateStore;
  wanted: WantedJob;
  from?: SavedState;
  signal: AbortSignal;
  progress: (text: string) => void;
}

/**
 * Submits a job and waits until all of its tasks run.
 * @throws ForgeError SQL_FAILED; JOB_NOT_RESTORED when the job cannot start from `from`; JOB_FAILED otherwise
 */
export async function submitJob(options: Submission): Promise<FlinkJob> {
  const { wanted, signal, progress } = options;
  const identity = identityOf(wanted);
  const folder = await stateFolder(options.state, identity);
  const properties: Record<string, string> = {
    'execution.checkpointing.dir': `file://${folder}`,
    'execution.checkpointing.savepoint-dir': `file://${folder}`,
    'pipeline.global-job-parameters': Object.entries(parametersOf(identity))
      .map(([key, value]) => `${key}:${value}`)
      .join(','),
    ...(options.from === undefined ? {} : { 'execution.state-recovery.path': options.from.address }),
  };
  const statements = splitStatements(wanted.sql);
  const results = await runSql(options.gatewayUrl, statements, {
    properties,
    signal,
    onStatement: (index) => progress(`statement ${index + 1} of ${statements.length}`),
  }).catch((error: unknown) => {
    // A job that ends before the gateway has answered is told as a statement that failed.
    if (options.from !== undefined && error instanceof ForgeError && CANNOT_RESTORE.test(error.message))
      throw notStarted(wanted, options.from, error.message);
    throw error;
  });
  const id = results.findLast((result) => result.jobId !== undefined)?.jobId;
  if (id === undefined)
    throw serverError({
      code: 'JOB_FAILED',
      message: `The SQL of job ${wanted.name} started no job`,
      hint: 'It needs an INSERT or a statement set',
    });
  const flink = flinkClient(options.flinkUrl, signal);
  progress('waiting for the job to run');
  return waitUntil(
    async () => {
      const job = (await flink.jobs()).find((it) => it.id === id);
      if (job === undefined) return undefined;
      if (job.allTasksRunning) return job;
      const cause = await flink.lastFailure(id);
      if (hasEnded(job)) throw notStarted(wanted, options.from, cause ?? job.status);
      if (options.from !== undefined && cause !== undefined && DOES_NOT_FIT.test(cause)) {
        // Flink would try again for ever.
        await cancelJob(flink, job, signal);
        throw notStarted(wanted, options.from, cause);
      }
      return undefined;
    },
    { signal, what: `job ${wanted.name} to run` },
  );
}

/** What the JobManager says when it cannot hand saved state to a job. */
const CANNOT_RESTORE = /Failed to rollback to checkpoint\/savepoint|Cannot map checkpoint\/savepoint state/;
/** What tasks say when they cannot read the state that they were given, or the files that it names are gone with a dropped table. */
const DOES_NOT_FIT =
  /NoSuchKeyException|Location does not exist|StateMigrationException|serializer .*must not be incompatible|InvalidClassException|Unexpected (key|state)-?(group|serializer)/i;

const notStarted = (wanted: WantedJob, from: SavedState | undefined, cause: string): ForgeError =>
  serverError({
    code: from === undefined ? 'JOB_FAILED' : 'JOB_NOT_RESTORED',
    message: `Job ${wanted.name} did not start${from === undefined ? '' : ' from its saved state'}: ${cause}`,
    hint: 'See `forge logs flink`',
  });
