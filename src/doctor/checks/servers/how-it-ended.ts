import { readFile } from 'node:fs/promises';
import { lastLogLines, logFile } from '../../../runtimes/process/logs.js';
import { runFile } from '../../../runtimes/process/state.js';
import { bootId } from '../../../workspace/identity.js';
import type { Workspace } from '../../../workspace/workspace.js';
import { ALARM } from './alarms.js';

const LINES = 40;
const ORDERLY = /SIGNAL 15|signal SIG(TERM|INT|HUP)|shutdown request|shut down completed|database system is shut down/i;
const ERROR = /\b(ERROR|FATAL|Exception)\b|Exception:|Traceback/;
const STACK_FRAME = /^\s+(at \S+\(|\.\.\. \d+ )/;

/** What is known of the end of a server, from its run file and its log: nobody was there to hear its exit code. */
export async function howItEnded(workspace: Workspace, name: string): Promise<string> {
  const record = await recordOf(workspace, name);
  if (record === undefined) return 'is not running and was not started, or was stopped by `forge down`';
  if (isOfAnotherBoot(record.started)) return `does not run since this machine was started anew (it ran since ${record.startedAt})`;
  const lines = (await lastLogLines(workspace, name, LINES, record.log)).filter((line) => !STACK_FRAME.test(line));
  const who = `(pid ${record.pid}, started ${record.startedAt})`;
  const told = (text: string, line: string | undefined): string =>
    `${who} ${text}${line === undefined ? '' : `: ${line.trim().slice(0, 250)}`}; all of it in ${logFile(workspace, name)}`;
  const alarm = lines.findLast((line) => ALARM.test(line));
  if (alarm !== undefined) return told('died', alarm);
  const orderly = lines.find((line) => ORDERLY.test(line));
  if (orderly !== undefined) return told('was stopped in order, not by forge', orderly);
  const error = lines.slice(-15).findLast((line) => ERROR.test(line));
  if (error !== undefined) return told('died, or was killed, and said before', error);
  const reason = `was killed without a word (kill -9${await memoryKills()})`;
  return told(`${reason}; the last that it said`, lines.at(-1) ?? 'nothing');
}

interface Known {
  pid: number;
  started: string;
  startedAt: string;
  log: number;
}

async function recordOf(workspace: Workspace, name: string): Promise<Known | undefined> {
  try {
    return JSON.parse(await readFile(runFile(workspace, name), 'utf8')) as Known;
  } catch {
    return undefined;
  }
}

/** On Linux the start of a process is told with the boot that it belongs to. */
function isOfAnotherBoot(started: string): boolean {
  const [boot, ticks] = started.split(':');
  return process.platform === 'linux' && ticks !== undefined && /^[0-9a-f-]{36}$/.test(boot ?? '') && boot !== bootId();
}

/** The kernel's own log may not be read, but it counts in the group of processes. */
async function memoryKills(): Promise<string> {
  const text = await readFile('/sys/fs/cgroup/memory.events', 'utf8').catch(() => '');
  const kills = Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  const counted = kills === 0 ? '' : `: it has killed ${kills} here since this machine or container was started`;
  return `, or the kernel for want of memory${counted}`;
}
