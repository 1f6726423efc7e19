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

const LISTEN = '0A';

/** /proc/net/tcp gives the socket's inode, /proc/PID/fd who has it (proc(5)). */
function linuxHolder(port: number, likely: string[]): PortHolder | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (readText(table) ?? '').split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === LISTEN && fields[1]?.endsWith(`:${hex}`) && fields[9] !== undefined) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  const holds = (pid: string): boolean => descriptorsOf(pid).some((descriptor) => inodes.has(targetOf(descriptor)));
  const pid = likely.find(holds) ?? readdirSync('/proc').find((name) => /^[0-9]+$/.test(name) && holds(name));
  if (pid === undefined) return undefined;
  return { pid: Number(pid), command: shortened((readText(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim()) };
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((descriptor) => `/proc/${pid}/fd/${descriptor}`);
  } catch {
    return [];
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
