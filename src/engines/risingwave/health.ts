import { jobStates, namesOf } from './catalog.js';
import type { RisingWave } from './connect.js';
import { maskCredentials } from './mask.js';
import { titleOf } from './objects.js';
import type { ObjectName } from './statements.js';

/** How long a failure counts. */
const MINUTES = 5;

export interface SinkFailure {
  sink: string;
  at: Date;
  error: string;
}

/** RisingWave's own view of what it runs; credentials in its texts are masked. */
export interface EngineHealth {
  /** What is wrong for certain. */
  problems: string[];
  /** Failures of the last minutes; a sink may have recovered from one. */
  failures: SinkFailure[];
  /** When RisingWave completed its newest barrier; null where its log of events has none. */
  barrierAt: Date | null;
  /** Records that wait in Kafka; null when RisingWave cannot tell. */
  lag: number | null;
}

export async function healthOf(client: RisingWave, objects: ObjectName[]): Promise<EngineHealth> {
  const problems = [...(await workerProblems(client)), ...(await objectProblems(client, objects))];
  return { problems, failures: await failuresOf(client, objects), barrierAt: await newestBarrier(client), lag: await lagOf(client) };
}

async function workerProblems(client: RisingWave): Promise<string[]> {
  const workers = await client.query<{ type: string; state: string }>('SELECT "type", state FROM rw_catalog.rw_worker_nodes');
  const isRunning = (type: string): boolean => workers.some((worker) => worker.type === type && worker.state === 'RUNNING');
  return isRunning('WORKER_TYPE_COMPUTE_NODE') ? [] : ['no compute node is running'];
}

async function objectProblems(client: RisingWave, objects: ObjectName[]): Promise<string[]> {
  const problems: string[] = [];
  const states = await jobStates(client);
  const progress = await client.query<{ ddl_statement: string; progress: string }>(
    'SELECT ddl_statement, progress FROM rw_catalog.rw_ddl_progress',
  );
  for (const kind of new Set(objects.map((object) => object.kind))) {
    const names = await namesOf(client, kind);
    for (const object of objects.filter((one) => one.kind === kind)) {
      const status = states.get(object.name) ?? 'CREATED';
      const done = progress.find(({ ddl_statement }) => new RegExp(`\\b${object.name}\\b`).test(ddl_statement))?.progress;
      if (!names.includes(object.name)) problems.push(`${titleOf(object)} is missing`);
      else if (status !== 'CREATED')
        problems.push(`${titleOf(object)} is ${status.toLowerCase()}${done === undefined ? '' : ` (${maskCredentials(done)})`}`);
    }
  }
  return problems;
}

async function failuresOf(client: RisingWave, objects: ObjectName[]): Promise<SinkFailure[]> {
  const events = await client.query<{ timestamp: Date; info: unknown }>(
    `SELECT "timestamp", info FROM rw_catalog.rw_event_logs WHERE event_type = 'SINK_FAIL' AND "timestamp" > now() - INTERVAL '${MINUTES} minutes'`,
  );
  const sinks = new Set(objects.filter(({ kind }) => kind === 'sink').map(({ name }) => name));
  return events
    .map(({ timestamp, info }) => ({
      sink: memberOf(info, ['sinkName', 'sink_name']) ?? '',
      at: new Date(timestamp),
      error: maskCredentials(memberOf(info, ['error']) ?? 'no reason was given'),
    }))
    .filter(({ sink }) => sinks.has(sink))
    .sort((a, b) => b.at.getTime() - a.at.getTime());
}

/** The log keeps the last ones of each database (RisingWave: src/meta/src/manager/event_log.rs). */
async function newestBarrier(client: RisingWave): Promise<Date | null> {
  const events = await client.query<{ timestamp: Date }>(
    `SELECT "timestamp" FROM rw_catalog.rw_event_logs WHERE event_type = 'BARRIER_COMPLETE'`,
  );
  return events.length === 0 ? null : new Date(Math.max(...events.map(({ timestamp }) => new Date(timestamp).getTime())));
}

/** A text of that name, wherever it stands in an event. */
function memberOf(info: unknown, names: string[]): string | undefined {
  if (typeof info === 'string') return info.startsWith('{') ? memberOf(parsed(info), names) : undefined;
  if (typeof info !== 'object' || info === null) return undefined;
  for (const [name, value] of Object.entries(info)) {
    const found = names.includes(name) && typeof value === 'string' ? value : memberOf(value, names);
    if (found !== undefined) return found;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function lagOf(client: RisingWave): Promise<number | null> {
  const rows = await client.query<{ lag: string | null }>('SELECT lag FROM rw_catalog.rw_kafka_job_lag');
  const known = rows.flatMap(({ lag }) => (lag === null ? [] : [Number(lag)]));
  return known.length === 0 ? null : Math.max(...known);
}
