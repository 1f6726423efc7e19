import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { bootId } from '../../workspace/identity.js';
import { readText } from '../../workspace/read-text.js';

/** One process of this machine. A pid is used again; together with its start it means one process for ever. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  /** Linux: boot id and ticks since boot. Elsewhere: what `ps -o lstart` says. */
  started: string;
}
export type ProcessTable = Map<number, ProcessEntry>;

/** What the wrapper puts into the environment of every server, so that one can be found without its run file. */
export interface Mark {
  /** Folder of the run files of the workspace that started it. */
  run: string;
  name: string;
  component: string;
  fingerprint: string;
}

const linux = process.platform === 'linux';
/** In the words and the time zone in which the wrapper of every server asked, whatever those of the user are. */
const ps = async (args: string[]): Promise<string[]> => {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const { stdout } = await promisify(execFile)('ps', args, { env, maxBuffer: 1 << 26 });
  return stdout.split('\n').filter((line) => line.trim() !== '');
};

let boot: string | undefined;

function linuxEntry(pid: number): ProcessEntry | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in parentheses may hold anything; the fields after it are counted from the state, which is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // One whose first thread has ended holds its files and ports until the last one has (field 20 counts them).
  if (fields[0] === 'X' || (fields[0] === 'Z' && !(Number(fields[17]) > 1))) return undefined;
  return { pid, parent: Number(fields[1]), started: `${(boot ??= bootId())}:${fields[19] ?? ''}` };
}

const lstart = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');

/** How old a recent table may be: a command asks for the state of many processes at once. */
const RECENT_MS = 100;
let last: { readAt: number; table: Promise<ProcessTable> } | undefined;

/**
 * Every living process; those that have ended and only wait for their parent are left out.
 * @param options.recent a table of the last 100 ms will do
 */
export function processTable({ recent = false } = {}): Promise<ProcessTable> {
  if (!recent || last === undefined || performance.now() - last.readAt > RECENT_MS)
    last = { readAt: performance.now(), table: readTable() };
  return last.table;
}

async function readTable(): Promise<ProcessTable> {
  const entries = linux
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => linuxEntry(Number(name)))
    : (await ps(['-axo', 'pid=,ppid=,stat=,lstart='])).map((line) => {
        const [, pid, parent, stat, start] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
        if (stat === undefined || stat.startsWith('Z')) return undefined;
        return { pid: Number(pid), parent: Number(parent), started: lstart(start ?? '') };
      });
  return new Map(entries.filter((entry) => entry !== undefined).map((entry) => [entry.pid, entry]));
}

/** True while the process that had this pid at that start still lives. */
export async function isAlive(pid: number, started: string): Promise<boolean> {
  if (linux) return linuxEntry(pid)?.started === started;
  const lines = await ps(['-o', 'stat=,lstart=', '-p', String(pid)]).catch(() => []);
  const [, stat, start] = /^\s*(\S+)\s+(.*)$/.exec(lines[0] ?? '') ?? [];
  return stat !== undefined && !stat.startsWith('Z') && lstart(start ?? '') === started;
}

/** A process and all its descendants, itself first. */
export function treeOf(table: ProcessTable, pid: number): ProcessEntry[] {
  const root = table.get(pid);
  if (root === undefined) return [];
  const tree = [root];
  // The loop sees what it appends: children, then their children.
  for (const { pid: parent } of tree)
    for (const entry of table.values()) if (entry.parent === parent && !tree.includes(entry)) tree.push(entry);
  return tree;
}

/**
 * Memory of these processes. Pages that several share (PostgreSQL's buffers) are counted once where the system tells
 * (Linux: proportional set size); elsewhere it is the sum of the resident sizes.
 */
export async function residentBytes(pids: number[]): Promise<number> {
  if (pids.length === 0) return 0;
  if (!linux) {
    const lines = await ps(['-o', 'rss=', '-p', pids.join(',')]).catch(() => []);
    return lines.reduce((sum, line) => sum + Number(line) * 1024, 0);
  }
  return pids.reduce((sum, pid) => {
    const pss = /^Pss:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/smaps_rollup`) ?? '');
    const rss = pss ?? /^VmRSS:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`) ?? '');
    return sum + Number(rss?.[1] ?? 0) * 1024;
  }, 0);
}

/** The variables of a mark. */
export const markEnv = (mark: Mark): Record<string, string> => ({
  FORGE_PROCESS_RUN: mark.run,
  FORGE_PROCESS_NAME: mark.name,
  FORGE_PROCESS_COMPONENT: mark.component,
  FORGE_PROCESS_FINGERPRINT: mark.fingerprint,
});

function parseMark(environment: string, separator: string): Mark | undefined {
  const value = (name: string): string => {
    const start = `${separator}${environment}`.indexOf(`${separator}${name}=`);
    if (start < 0) return '';
    const rest = environment.slice(start + name.length + 1);
    // `ps` puts blanks between the variables, and a folder's name may hold one too: the next NAME= ends a value.
    const end = separator === ' ' ? rest.search(/ [A-Za-z_][A-Za-z0-9_]*=|$/) : rest.indexOf(separator);
    return end < 0 ? rest : rest.slice(0, end);
  };
  const name = value('FORGE_PROCESS_NAME');
  if (name === '') return undefined;
  return {
    run: value('FORGE_PROCESS_RUN'),
    name,
    component: value('FORGE_PROCESS_COMPONENT'),
    fingerprint: value('FORGE_PROCESS_FINGERPRINT'),
  };
}

/** Living processes that carry a mark, whoever started them; those of other users cannot be read and are not seen. */
export async function markedProcesses(table: ProcessTable): Promise<(ProcessEntry & { mark: Mark })[]> {
  const found: (ProcessEntry & { mark: Mark })[] = [];
  const add = (entry: ProcessEntry | undefined, mark: Mark | undefined) => {
    if (entry !== undefined && mark !== undefined) found.push({ ...entry, mark });
  };
  if (linux) {
    for (const entry of table.values()) {
      const environment = readText(`/proc/${entry.pid}/environ`);
      if (environment?.includes('FORGE_PROCESS_NAME=')) add(entry, parseMark(environment, '\0'));
    }
    return found;
  }
  for (const line of await ps(['-axEwwo', 'pid=,command='])) {
    if (!line.includes(' FORGE_PROCESS_NAME=')) continue;
    add(table.get(Number.parseInt(line, 10)), parseMark(line.slice(line.indexOf(' FORGE_PROCESS_') + 1), ' '));
  }
  return found;
}
