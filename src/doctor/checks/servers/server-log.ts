import { lastLogLines, timeOfLine } from '../../../runtimes/process/logs.js';
import { isOnKubernetes } from '../../../workspace/context.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { ALARM } from './alarms.js';
import { ownProcesses } from './own-processes.js';

const MINUTES = 10;

/** A server whose log is looked at: its newest lines, of its present life only. */
export interface ServerLog {
  component: string;
  name: string;
  since: number;
  lines: string[];
}

/** Servers that run, and said lately that something is badly wrong. */
export const serverLog: Check = {
  id: 'server-log',
  group: 'servers',
  title: 'No server has raised an alarm in its log lately',
  severity: 'warning',
  needs: ['cluster-reachable'],
  async look(place) {
    const logs = isOnKubernetes(place.stack)
      ? await (await import('./pod-logs.js')).logsOfPods(place, MINUTES)
      : await logsOfProcesses(place);
    return logs.flatMap((log) => alarmIn(log, Date.now()));
  },
};

async function logsOfProcesses(place: StackPlace): Promise<ServerLog[]> {
  const running = (await ownProcesses(place)).filter(({ state, startedAt }) => state === 'running' && startedAt !== undefined);
  return Promise.all(
    running.map(async ({ name, component, startedAt = '' }) => ({
      component,
      name,
      since: Date.parse(startedAt),
      // The end of a log is read, not all of it.
      lines: await lastLogLines(place.stack.workspace, name, 2_000, 0),
    })),
  );
}

/** One finding for a server, with its newest alarm. A line without a time has that of the line before; without any it is old. */
export function alarmIn({ component, name, since, lines }: ServerLog, now: number): Trouble[] {
  const from = Math.max(since, now - MINUTES * 60_000);
  let moment = 0;
  let found: { line: string; moment: number } | undefined;
  let times = 0;
  for (const line of lines) {
    moment = timeOfLine(line)?.getTime() ?? moment;
    if (moment < from || !ALARM.test(line)) continue;
    times++;
    found = { line, moment };
  }
  if (found === undefined) return [];
  const often = times === 1 ? '' : ` (${times} such lines in the last ${MINUTES} minutes)`;
  return [
    {
      component,
      title: `${name} has raised an alarm in its log`,
      cause: `${new Date(found.moment).toISOString()}: ${found.line.trim().slice(0, 300)}${often}`,
      remedy: remedyOf(found.line, component),
    },
  ];
}

function remedyOf(line: string, component: string): string {
  if (/OutOfMemory|MemoryError|out of memory/.test(line))
    return `Give ${component} more memory under \`components\` in forge.yaml, then \`forge up\``;
  if (/No space left|could not (write|access)/.test(line)) return 'Free some space on the disk of .forge, then `forge up`';
  if (/Too many open files/.test(line))
    return 'Raise the limit of open files (`ulimit -n 65536`), then `forge down --keep-data` and `forge up`';
  if (/too many clients|connection slots/.test(line))
    return 'End programs that hold connections to PostgreSQL (notebooks, dashboards, psql)';
  return `See \`forge logs ${component}\``;
}
