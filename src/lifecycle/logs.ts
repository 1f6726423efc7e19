import { componentsOf } from '../components/index.js';
import { lackingError, usageError } from '../errors.js';
import { parseDuration, parseWhole } from '../generator/options.js';
import { logSize, readLogs } from '../runtimes/process/logs.js';
import { isOnKubernetes } from '../workspace/context.js';
import { openSession, type SessionOptions } from './session.js';

export interface LogsOptions extends SessionOptions {
  /** A component, or one of its processes. */
  component: string;
  follow: boolean;
  since?: string | undefined;
  lines?: string | undefined;
  signal: AbortSignal;
  onLine: (process: string, line: string, isSingle: boolean) => void;
}

const LINES = 100;
const GATEWAY = 'flink-sql-gateway';

/** Gives the log lines of a component's processes, one process after the other; following, all of them as they come. */
export async function componentLogs(options: LogsOptions): Promise<void> {
  const since = options.since === undefined ? undefined : parseSince(options.since);
  const lines =
    options.lines === undefined ? (since === undefined ? LINES : undefined) : parseWhole('--lines', options.lines, 0, 1_000_000, '100');
  const { stack } = await openSession(options);
  // Known secrets are masked, and known is what was read.
  for (const name of stack.credentials.names()) stack.credentials.read(name);
  if (isOnKubernetes(stack)) {
    const { podLogs } = await import('./pod-logs.js');
    return podLogs({ ...options, stack, name: options.component, since, lines });
  }
  const components = componentsOf(stack);
  const all = components.flatMap(({ name, process }) => [
    ...(process?.names ?? []).map((process) => ({ name, process })),
    ...(name === 'flink' ? [{ name, process: GATEWAY }] : []),
  ]);
  const chosen = all
    .filter(({ name, process }) => name === options.component || process === options.component)
    .map(({ process }) => process);
  if (chosen.length === 0) {
    throw usageError({
      code: 'UNKNOWN_COMPONENT',
      message: `This stack has no component ${options.component}`,
      hint: `It has ${[...new Set(all.flatMap(({ name, process }) => [name, process]))].join(', ')}`,
    });
  }
  const sizes = await Promise.all(chosen.map((name) => logSize(stack.workspace, name)));
  const there = options.follow ? chosen : chosen.filter((_, index) => (sizes[index] ?? 0) > 0);
  if (there.length === 0)
    throw lackingError({
      code: 'NO_LOG',
      message: `${options.component} has written no log in this workspace`,
      hint: 'Run `forge up` first',
    });
  const read = async (name: string): Promise<void> => {
    const wanted = {
      follow: options.follow,
      signal: options.signal,
      ...(since === undefined ? {} : { since }),
      ...(lines === undefined ? {} : { lines }),
    };
    for await (const line of readLogs(stack.workspace, name, wanted)) options.onLine(name, line, there.length === 1);
  };
  if (options.follow) await Promise.all(there.map(read));
  else for (const name of there) await read(name);
}

function parseSince(text: string): Date {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (time !== undefined && !Number.isNaN(time.getTime())) return time;
  return new Date(Date.now() - parseDuration('--since', text) * 1000);
}
