import { readdirSync, readlinkSync } from 'node:fs';
import { stopProcess } from '../../../runtimes/process/stop.js';
import type { ProcessState } from '../../../runtimes/types.js';
import { readText } from '../../../workspace/read-text.js';
import type { Check, Fix, StackPlace, Trouble } from '../../check.js';
import { RESTART_COSTS } from './localstack.js';
import { ownProcesses } from './own-processes.js';

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const LISTEN = '0A';

/** Servers of the stack ask for little or no password: nobody but this machine may reach them. */
export const serverListens: Check = {
  id: 'server-listens',
  group: 'servers',
  title: 'No server listens beyond this machine',
  concerns: ({ stack }) => stack.runtime === 'process' && process.platform === 'linux',
  async look(place) {
    const open = openSockets(TABLES.map((table) => readText(table) ?? '').join('\n'));
    // Most often there is none on the whole machine, and no process has to be looked at.
    if (open.size === 0) return [];
    const running = (await ownProcesses(place)).filter(({ state }) => state === 'running');
    return running.flatMap((server) => {
      const own = server.pids.flatMap(socketsOf).flatMap((socket) => open.get(socket) ?? []);
      return own.length === 0 ? [] : [trouble(place, server, [...new Set(own)])];
    });
  },
};

/** Of a server that listens on these. One that forgets everything when it ends is not restarted without being asked. */
export function trouble({ stack }: Pick<StackPlace, 'stack'>, { name, component, pid }: ProcessState, places: string[]): Trouble {
  const base = {
    component,
    title: `${name} listens beyond this machine`,
    cause: `Process ${pid} listens on ${places.join(', ')}: whoever reaches this machine reaches it, with the data in it. It was started with another configuration than forge writes`,
  };
  if (component === 'localstack')
    return {
      ...base,
      remedy: `\`kill ${pid}\`, then \`forge up\`: it starts on the loopback interface, and ${RESTART_COSTS}`,
    };
  const run = async (signal: AbortSignal): Promise<void> => void (await stopProcess(stack.workspace, name, signal));
  const fix: Fix = { does: `restarts ${name} with the configuration that forge writes`, run, up: true };
  return { ...base, remedy: '`forge doctor --fix` restarts it on the loopback interface', fix };
}

/** Sockets that listen on more than loopback, by their inode, from the kernel's tables. */
export function openSockets(tables: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of tables.split('\n')) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local?.split(':') ?? [];
    if (state !== LISTEN || inode === undefined || isLoopback(address)) continue;
    const where = /^0+$/.test(address) ? 'all interfaces' : addressOf(address);
    found.set(`socket:[${inode}]`, `port ${parseInt(port, 16)} of ${where}`);
  }
  return found;
}

/** 127.0.0.0/8 and ::1, also as IPv4 in IPv6; the kernel writes each four bytes the other way round. */
const isLoopback = (address: string): boolean =>
  /^[0-9A-F]{6}7F$/.test(address) || address === '00000000000000000000000001000000' || /^0{16}FFFF0000[0-9A-F]{6}7F$/.test(address);

const addressOf = (hex: string): string =>
  hex.length === 8
    ? (hex.match(/../g) ?? [])
        .map((byte) => parseInt(byte, 16))
        .reverse()
        .join('.')
    : `an IPv6 address (${hex})`;

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((one) => linkOf(`/proc/${pid}/fd/${one}`));
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
