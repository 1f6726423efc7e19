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
  /** Listening sockets (`socket:[INODE]`), by port. */
  listening: Map<number, string[]>;
  /** The descriptor of each thing that a process has open; read when it is asked for. */
  opened: Map<string, Map<string, string>>;
}

/**
 * Commands ask for many ports; to read the tables for each takes longer than all else that they do. What they tell of a port
 * is looked at again, so that an old one costs time and no truth.
 */
const RECENT_MS = 1_000;
let last: Sockets | undefined;

function linuxHolder(port: number, likely: string[]): PortHolder | undefined {
  if (last !== undefined && performance.now() - last.seenAt < RECENT_MS) {
    const found = holding(last, port, likely);
    // It may have come since, or gone.
    if (found !== undefined && targetOf(found.descriptor) === found.socket) return describe(found.pid);
  }
  last = { seenAt: performance.now(), listening: listeningSockets(), opened: new Map() };
  const found = holding(last, port, likely);
  return found === undefined ? undefined : describe(found.pid);
}

interface Holding {
  pid: string;
  socket: string;
  descriptor: string;
}

function holding(sockets: Sockets, port: number, likely: string[]): Holding | undefined {
  const listening = sockets.listening.get(port);
  if (listening === undefined) return undefined;
  const holdingOf = (pid: string): Holding | undefined => {
    const opened = sockets.opened.get(pid) ?? openedBy(pid);
    sockets.opened.set(pid, opened);
    const socket = listening.find((one) => opened.has(one));
    return socket === undefined ? undefined : { pid, socket, descriptor: opened.get(socket)! };
  };
  for (const pid of likely) {
    const found = holdingOf(pid);
    if (found !== undefined) return found;
  }
  for (const pid of readdirSync('/proc')) {
    const found = /^[0-9]+$/.test(pid) ? holdingOf(pid) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

const describe = (pid: string): PortHolder => ({
  pid: Number(pid),
  command: shortened((readText(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim()),
});

/** `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …` of the sockets whose state is LISTEN (0A). */
const LISTENING = /^ *[0-9]+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A \S+ \S+ \S+ +[0-9]+ +[0-9]+ ([0-9]+) /gm;

function listeningSockets(): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const [, hex = '', inode = ''] of (readText(table) ?? '').matchAll(LISTENING)) {
      const port = Number.parseInt(hex, 16);
      found.set(port, [...(found.get(port) ?? []), `socket:[${inode}]`]);
    }
  return found;
}

function openedBy(pid: string): Map<string, string> {
  try {
    const descriptors = readdirSync(`/proc/${pid}/fd`).map((name) => `/proc/${pid}/fd/${name}`);
    return new Map(descriptors.map((descriptor) => [targetOf(descriptor), descriptor]));
  } catch {
    return new Map();
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
