import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { readText } from './read-text.js';
import { redact } from './secret.js';

export interface PortHolder {
  pid: number;
  /** Its command line, shortened; secrets that forge knows are masked. */
  command: string;
}

/**
 * The process that listens on a TCP port of this machine; undefined when there is none or it cannot be seen. `likely` are
 * looked at first: to go through the open files of all processes takes long.
 */
export function holderOf(port: number, likely: Iterable<number> = []): PortHolder | undefined {
  try {
    return process.platform === 'linux' ? linuxHolder(port, [...likely].map(String)) : lsofHolder(port);
  } catch {
    return undefined;
  }
}

/** What the kernel tells of sockets and of who has them open, as it was at one moment (proc(5)). */
interface Sockets {
  seenAt: number;
  /** Inodes of listening sockets, by port. */
  listening: Map<number, string[]>;
  /** What a process has open; read when it is asked for. */
  opened: Map<string, Set<string>>;
}

/** Commands ask for many ports at once; to read the tables for each takes longer than all else that they do. */
const FRESH_MS = 100;
let last: Sockets | undefined;

function linuxHolder(port: number, likely: string[]): PortHolder | undefined {
  if (last !== undefined && performance.now() - last.seenAt < FRESH_MS) {
    const holder = holderIn(last, port, likely);
    if (holder !== undefined) return holder;
    // It may have come since.
  }
  last = { seenAt: performance.now(), listening: listeningSockets(), opened: new Map() };
  return holderIn(last, port, likely);
}

function holderIn(sockets: Sockets, port: number, likely: string[]): PortHolder | undefined {
  const inodes = sockets.listening.get(port);
  if (inodes === undefined) return undefined;
  const holds = (pid: string): boolean => {
    const opened = sockets.opened.get(pid) ?? openedBy(pid);
    sockets.opened.set(pid, opened);
    return inodes.some((inode) => opened.has(`socket:[${inode}]`));
  };
  const pid = likely.find(holds) ?? readdirSync('/proc').find((name) => /^[0-9]+$/.test(name) && holds(name));
  if (pid === undefined) return undefined;
  return { pid: Number(pid), command: shortened((readText(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim()) };
}

/** `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …` of the sockets whose state is LISTEN (0A). */
const LISTENING = /^ *[0-9]+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A \S+ \S+ \S+ +[0-9]+ +[0-9]+ ([0-9]+) /gm;

function listeningSockets(): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const [, hex = '', inode = ''] of (readText(table) ?? '').matchAll(LISTENING)) {
      const port = Number.parseInt(hex, 16);
      found.set(port, [...(found.get(port) ?? []), inode]);
    }
  return found;
}

function openedBy(pid: string): Set<string> {
  try {
    return new Set(readdirSync(`/proc/${pid}/fd`).map((descriptor) => targetOf(`/proc/${pid}/fd/${descriptor}`)));
  } catch {
    return new Set();
  }
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(descriptor);
  } catch {
    return '';
  }
}

function lsofHolder(port: number): PortHolder | undefined {
  const pid = Number(execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'], { encoding: 'utf8' }).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, command: shortened(execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()) };
}

const shortened = (command: string): string => redact(command.length > 80 ? `${command.slice(0, 77)}…` : command);
