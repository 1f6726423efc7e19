import { messageOf, serverError } from '../errors.js';
import { request } from './http.js';
import { waitUntil } from './wait.js';

/** States of a job as Flink's REST API gives them (`/jobs/overview`). */
export type FlinkJobStatus =
  | 'INITIALIZING'
  | 'CREATED'
  | 'RUNNING'
  | 'FAILING'
  | 'FAILED'
  | 'CANCELLING'
  | 'CANCELED'
  | 'FINISHED'
  | 'RESTARTING'
  | 'SUSPENDED'
  | 'RECONCILING';

/** A failure of a job, after which Flink started it again or gave it up. */
export interface FlinkFailure {
  at: Date;
  /** One line: what went wrong first. */
  cause: string;
  /** Whether it failed at writing or reading its checkpoints. */
  ofCheckpoint: boolean;
}

export interface FlinkCheckpoints {
  completed: number;
  failed: number;
  /** Milliseconds since the epoch; null before the first. */
  lastCompletedAt: number | null;
  /** Why the newest one that failed did. */
  lastFailure: string | undefined;
}

export interface FlinkJob {
  id: string;
  name: string;
  status: FlinkJobStatus;
  startedAt: number;
  /** True when every task of the job runs. */
  allTasksRunning: boolean;
}

const ENDED = new Set<FlinkJobStatus>(['FAILED', 'CANCELED', 'FINISHED', 'SUSPENDED']);

/** Whether a job will not run any more. */
export const hasEnded = (job: FlinkJob): boolean => ENDED.has(job.status);

/** The checkpoint itself, its files (`…/chk-7/…`), or the state that was to be restored from them. */
const OF_CHECKPOINT = /Exceeded checkpoint tolerable failure threshold|CheckpointException|\/chk-\d+\b|Could not restore keyed state/;

/** Where a source is in a partition, by the name of its metric; the committed offset is that of the record to read next. */
function offsetOf(metric: string, topic: string): { partition: number; beyond: bigint } | undefined {
  const [, of, partition, kind] = /\.topic\.(.+)\.partition\.(\d+)\.(currentOffset|committedOffset)$/.exec(metric) ?? [];
  return of === topic ? { partition: Number(partition), beyond: kind === 'currentOffset' ? 1n : 0n } : undefined;
}

/** The REST API of a Flink cluster (its documentation: docs/ops/rest_api), as far as forge needs it. */
export interface FlinkClient {
  /** Task managers and free slots. */
  overview(): Promise<{ taskManagers: number; slots: number; slotsAvailable: number }>;
  jobs(): Promise<FlinkJob[]>;
  /** The global job parameters that a job was submitted with. */
  parameters(jobId: string): Promise<Record<string, string>>;
  /** The newest root exception of a job, one line, or undefined. */
  lastFailure(jobId: string): Promise<string | undefined>;
  /** The newest failures of a job, the newest first. */
  failures(jobId: string, most: number): Promise<FlinkFailure[]>;
  checkpoints(jobId: string): Promise<FlinkCheckpoints>;
  /** Milliseconds from checkpoint to checkpoint. */
  checkpointInterval(jobId: string): Promise<number>;
  /** By partition, the offset that the job reads next; only those that it tells (its metrics are some ten seconds old). */
  consumed(jobId: string, topic: string): Promise<Map<number, bigint>>;
  cancel(jobId: string): Promise<void>;
  /** Stops a job with a savepoint under `directory` (a file: address) and gives its address. */
  stopWithSavepoint(jobId: string, directory: string): Promise<string>;
}

interface Overview {
  jobs: {
    jid: string;
    name: string;
    state: FlinkJobStatus;
    'start-time': number;
    tasks: { total: number; running: number; finished: number };
  }[];
}

/** @throws ForgeError UNREACHABLE, FLINK_REFUSED */
export function flinkClient(base: string, signal: AbortSignal): FlinkClient {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await request(`${base}${path}`, { method, signal, ...(body === undefined ? {} : { json: body }) });
    if (!answer.ok) {
      throw serverError({
        code: 'FLINK_REFUSED',
        message: `Flink answered ${method} ${path} with ${answer.status}: ${rootCause(answer.text)}`,
        hint: 'See `forge logs flink`',
      });
    }
    return answer.json<T>();
  }
  async function failures(jobId: string, most: number): Promise<FlinkFailure[]> {
    const answer = await call<{ exceptionHistory?: { entries: { stacktrace: string; timestamp: number }[] } }>(
      'GET',
      `/jobs/${jobId}/exceptions?maxExceptions=${most}`,
    );
    return (answer.exceptionHistory?.entries ?? []).map(({ stacktrace, timestamp }) => ({
      at: new Date(timestamp),
      cause: rootCause(stacktrace),
      ofCheckpoint: OF_CHECKPOINT.test(stacktrace),
    }));
  }
  return {
    async overview() {
      const it = await call<{ taskmanagers: number; 'slots-total': number; 'slots-available': number }>('GET', '/overview');
      return { taskManagers: it.taskmanagers, slots: it['slots-total'], slotsAvailable: it['slots-available'] };
    },
    async jobs() {
      const { jobs } = await call<Overview>('GET', '/jobs/overview');
      return jobs.map((job) => ({
        id: job.jid,
        name: job.name,
        status: job.state,
        startedAt: job['start-time'],
        allTasksRunning: job.state === 'RUNNING' && job.tasks.running + job.tasks.finished === job.tasks.total,
      }));
    },
    async parameters(jobId) {
      const config = await call<{ 'execution-config'?: { 'user-config'?: Record<string, string> } }>('GET', `/jobs/${jobId}/config`);
      return config['execution-config']?.['user-config'] ?? {};
    },
    lastFailure: async (jobId) => (await failures(jobId, 1))[0]?.cause,
    failures,
    async checkpoints(jobId) {
      const it = await call<{
        counts: { completed: number; failed: number };
        latest: { completed?: { latest_ack_timestamp: number } | null; failed?: { failure_message?: string } | null };
      }>('GET', `/jobs/${jobId}/checkpoints`);
      return {
        completed: it.counts.completed,
        failed: it.counts.failed,
        lastCompletedAt: it.latest.completed?.latest_ack_timestamp ?? null,
        lastFailure: it.latest.failed?.failure_message,
      };
    },
    checkpointInterval: async (jobId) => (await call<{ interval: number }>('GET', `/jobs/${jobId}/checkpoints/config`)).interval,
    async consumed(jobId, topic) {
      const { vertices } = await call<{ vertices: { id: string; name: string }[] }>('GET', `/jobs/${jobId}`);
      const sources = vertices.filter(({ name }) => name.startsWith('Source: '));
      const next = new Map<number, bigint>();
      for (const { id } of sources) {
        const metrics = `/jobs/${jobId}/vertices/${id}/metrics`;
        const own = (await call<{ id: string }[]>('GET', metrics)).map((metric) => metric.id).filter((name) => offsetOf(name, topic));
        if (own.length === 0) continue;
        const query = own.map(encodeURIComponent).join(',');
        for (const metric of await call<{ id: string; value: string }[]>('GET', `${metrics}?get=${query}`)) {
          const { partition, beyond } = offsetOf(metric.id, topic)!;
          const offset = BigInt(metric.value) + beyond;
          // Before its first record, and its first commit, a source tells -1.
          if (BigInt(metric.value) >= 0n && offset > (next.get(partition) ?? -1n)) next.set(partition, offset);
        }
      }
      return next;
    },
    async cancel(jobId) {
      await call('PATCH', `/jobs/${jobId}`);
    },
    async stopWithSavepoint(jobId, directory) {
      const { 'request-id': trigger } = await call<{ 'request-id': string }>('POST', `/jobs/${jobId}/stop`, {
        targetDirectory: directory,
        drain: false,
      });
      return waitUntil(
        async () => {
          const it = await call<{ status: { id: string }; operation?: { location?: string; 'failure-cause'?: { 'stack-trace': string } } }>(
            'GET',
            `/jobs/${jobId}/savepoints/${trigger}`,
          );
          if (it.status.id !== 'COMPLETED') return undefined;
          if (it.operation?.location !== undefined) return it.operation.location;
          throw serverError({
            code: 'SAVEPOINT_FAILED',
            message: `Flink could not stop job ${jobId} with a savepoint: ${rootCause(it.operation?.['failure-cause']?.['stack-trace'] ?? 'no reason given')}`,
            hint: 'See `forge logs flink`',
          });
        },
        { signal, what: `the savepoint of job ${jobId}` },
      );
    },
  };
}

/** The line of a Java stack trace (also inside Flink's JSON error documents) that says what went wrong first. */
export function rootCause(text: string): string {
  let trace = text;
  try {
    const parsed = JSON.parse(text) as { errors?: string[] };
    if (Array.isArray(parsed.errors)) trace = parsed.errors.join('\n');
  } catch {
    // A plain trace.
  }
  const lines = trace.split('\n').map((line) => line.trim());
  const causes = lines.filter((line) => line.startsWith('Caused by: ')).map((line) => line.slice('Caused by: '.length));
  const line =
    causes.at(-1) ??
    lines.find((text) => text !== '' && !text.startsWith('at ') && !/^(<|Internal server error)/.test(text)) ??
    lines[0] ??
    '';
  return line
    .replace(/^(?:[a-z][\w]*\.)+([A-Z]\w*)(?:: )?/, '$1: ')
    .replace(/: $/, '')
    .slice(0, 500);
}

/** Result of one statement: the job's id where it submitted one. */
export interface StatementResult {
  jobId?: string;
}

/**
 * Runs SQL through a Flink SQL gateway (REST API v3) in one session, which is closed afterwards.
 * @throws ForgeError UNREACHABLE, SQL_FAILED (names the statement by its first line; never shows its text, which holds secrets)
 */
export async function runSql(
  gateway: string,
  statements: string[],
  options: { properties: Record<string, string>; signal: AbortSignal; onStatement?: (index: number) => void },
): Promise<StatementResult[]> {
  const { signal } = options;
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await request(`${gateway}/v3${path}`, {
      method,
      signal,
      timeoutMs: 60_000,
      ...(body === undefined ? {} : { json: body }),
    });
    if (!answer.ok) throw new Error(rootCause(answer.text));
    return answer.json<T>();
  };
  const { sessionHandle } = await call<{ sessionHandle: string }>('POST', '/sessions', { properties: options.properties });
  const results: StatementResult[] = [];
  try {
    for (const [index, statement] of statements.entries()) {
      options.onStatement?.(index);
      try {
        results.push(await runStatement(call, sessionHandle, statement, signal));
      } catch (error) {
        if (signal.aborted) throw error;
        throw serverError({
          code: 'SQL_FAILED',
          message: `Flink refused statement ${index + 1} (${titleOf(statement)}): ${messageOf(error)}`,
          hint: 'The statements are in .forge/generated/pipeline.sql; see also `forge logs flink`',
        });
      }
    }
  } finally {
    await request(`${gateway}/v3/sessions/${sessionHandle}`, { method: 'DELETE', timeoutMs: 2000 }).catch(() => undefined);
  }
  return results;
}

type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>;

async function runStatement(call: Call, session: string, statement: string, signal: AbortSignal): Promise<StatementResult> {
  const { operationHandle } = await call<{ operationHandle: string }>('POST', `/sessions/${session}/statements`, { statement });
  const operation = `/sessions/${session}/operations/${operationHandle}`;
  const status = await waitUntil(
    async () => {
      const it = await call<{ status: string }>('GET', `${operation}/status`);
      return ['FINISHED', 'ERROR', 'CANCELED', 'CLOSED', 'TIMEOUT'].includes(it.status) ? it.status : undefined;
    },
    { signal, what: 'the SQL gateway', everyMs: 20 },
  );
  const result = await call<{ jobID?: string }>('GET', `${operation}/result/0?rowFormat=JSON`);
  if (status !== 'FINISHED') throw new Error(`the statement ended as ${status}`);
  return result.jobID === undefined ? {} : { jobId: result.jobID };
}

const titleOf = (statement: string): string =>
  (statement.split('\n').find((line) => line.trim() !== '' && !line.trim().startsWith('--')) ?? '')
    .trim()
    .split(/ WITH \(| = /)[0]!
    .slice(0, 60);
