import { connect, createServer } from 'node:net';
import { lackingError, usageError, type ForgeError } from '../errors.js';
import { DEFAULT_PORTS, PORT_NAMES, type PortName } from '../config/schema.js';
import type { Claimed } from './port-claims.js';
import { holderOf } from './port-holder.js';

export type Ports = Record<PortName, number>;

export interface Allocation {
  ports: Ports;
  /** Ports that could not be what they are by default or were before, for the output. */
  moved: { name: PortName; from: number; to: number; holder: string | undefined }[];
}

export interface AllocationRequest {
  /** Ports that the user set: an order. */
  ordered: Partial<Record<PortName, number>>;
  /** What an earlier `up` chose. */
  kept: Partial<Record<string, number>>;
  /** Whether one of this workspace's own servers holds the port. */
  isOurs: (port: number) => boolean;
  /** Ports of other workspaces, which may be free just now. */
  claimed?: Claimed;
}

/**
 * Chooses every port of a workspace: one that was ordered, or is refused; else the one kept from before; else the default; a
 * taken one of the latter two moves to the next free port. Never a stranger's server.
 * @throws ForgeError PORT_TAKEN (exit 3), PORT_TWICE (exit 2)
 */
export async function allocatePorts({ ordered, kept, isOurs, claimed = new Map() }: AllocationRequest): Promise<Allocation> {
  await refuseTakenOrders(ordered, isOurs);
  const wishes = PORT_NAMES.map((name) => ({ name, wish: ordered[name] ?? kept[name] ?? DEFAULT_PORTS[name] }));
  const used = new Set(Object.values(ordered));
  const ports: Partial<Ports> = { ...ordered };
  const moved: Allocation['moved'] = [];
  for (const { name, wish } of wishes) {
    if (ports[name] !== undefined) continue;
    const isFree = async (port: number): Promise<boolean> => {
      if (used.has(port) || (port !== kept[name] && claimed.has(port))) return false;
      // Whoever moves leaves alone what the others want.
      if (port !== wish && wishes.some((other) => other.wish === port)) return false;
      const found = await stateOf(port);
      return found === 'free' || (found === 'taken' && isOurs(port));
    };
    let port = wish;
    while (!(await isFree(port))) {
      port += 1;
      if (port > 65_535) throw taken([`no port from ${wish} upwards is free for ${name}`]);
    }
    if (port !== wish) moved.push({ name, from: wish, to: port, holder: holderText(wish, claimed) });
    ports[name] = port;
    used.add(port);
  }
  return { ports: ports as Ports, moved };
}

/**
 * An ordered port is used or refused. On its own it is asked before anything is written.
 * @throws ForgeError PORT_TAKEN (exit 3), PORT_TWICE (exit 2)
 */
export async function refuseTakenOrders(ordered: AllocationRequest['ordered'], isOurs: AllocationRequest['isOurs']): Promise<void> {
  refuseTwins(ordered);
  const refused: string[] = [];
  for (const [name, port] of Object.entries(ordered)) {
    const found = await stateOf(port);
    if (found !== 'free' && !(found === 'taken' && isOurs(port))) refused.push(refusal(name, port, found));
  }
  if (refused.length > 0) throw taken(refused);
}

function refuseTwins(ordered: AllocationRequest['ordered']): void {
  const names = new Map<number, string>();
  for (const [name, port] of Object.entries(ordered)) {
    const twin = names.get(port);
    if (twin !== undefined)
      throw usageError({
        code: 'PORT_TWICE',
        message: `Port ${port} is set for both ${twin} and ${name}`,
        hint: 'Give each its own port, or leave one out',
      });
    names.set(port, name);
  }
}

function holderText(port: number, claimed: Claimed): string | undefined {
  const holder = holderOf(port);
  if (holder !== undefined) return `${holder.command} (pid ${holder.pid})`;
  const workspace = claimed.get(port);
  return workspace === undefined ? undefined : `the workspace ${workspace}`;
}

/** Whether something on this machine holds the port on its loopback or on all addresses, IPv6 included. */
export const isTaken = async (port: number): Promise<boolean> => (await stateOf(port)) !== 'free';

type PortState = 'free' | 'taken' | 'forbidden';

async function stateOf(port: number): Promise<PortState> {
  // On some systems a bind to 127.0.0.1 succeeds beside a listener on all addresses: so ask whether anybody answers.
  const answered = await Promise.all([answers(port, '127.0.0.1'), answers(port, '::1')]);
  return answered.includes(true) ? 'taken' : tryBind(port);
}

function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(500, () => end(true));
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}

function tryBind(port: number): Promise<PortState> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' ? 'forbidden' : 'taken'));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve('free')));
  });
}

function refusal(name: string, port: number, found: PortState): string {
  if (found === 'forbidden') return `port ${port}, which is set for ${name}, is for the administrator only`;
  const holder = holderText(port, new Map()) ?? 'a process of another user or a container';
  return `port ${port}, which is set for ${name}, is taken by ${holder}`;
}

const taken = (reasons: string[]): ForgeError =>
  lackingError({
    code: 'PORT_TAKEN',
    message: reasons.map((text) => text.charAt(0).toUpperCase() + text.slice(1)).join('\n'),
    hint: 'Stop that program, or set another port (ports in forge.yaml); without a setting forge takes a free one',
  });
