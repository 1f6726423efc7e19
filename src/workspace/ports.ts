import { createServer } from 'node:net';
import { connect } from 'node:net';
import { lackingError, usageError, type ForgeError } from '../errors.js';
import { DEFAULT_PORTS, PORT_NAMES, type PortName } from '../config/schema.js';
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
}

/**
 * Chooses every port of a workspace: one that was ordered, or is refused; else the one kept from before; else the default; a
 * taken one of the latter two moves to the next free port. Never a stranger's server.
 * @throws ForgeError PORT_TAKEN (exit 3), PORT_TWICE (exit 2)
 */
export async function allocatePorts({ ordered, kept, isOurs }: AllocationRequest): Promise<Allocation> {
  const ports: Partial<Ports> = {};
  const used = new Map<number, PortName>();
  const moved: Allocation['moved'] = [];
  const take = (name: PortName, port: number): void => {
    ports[name] = port;
    used.set(port, name);
  };
  for (const name of PORT_NAMES) {
    const port = ordered[name];
    if (port === undefined) continue;
    const twin = used.get(port);
    if (twin !== undefined) {
      throw usageError({
        code: 'PORT_TWICE',
        message: `Port ${port} is set for both ${twin} and ${name}`,
        hint: 'Give each its own port, or leave one out',
      });
    }
    if (!isOurs(port) && (await isTaken(port))) throw taken(name, port);
    take(name, port);
  }
  for (const name of PORT_NAMES) {
    if (ports[name] !== undefined) continue;
    const wished = kept[name] ?? DEFAULT_PORTS[name];
    const free = async (port: number): Promise<boolean> => !used.has(port) && (isOurs(port) || !(await isTaken(port)));
    let port = wished;
    while (!(await free(port))) {
      port += 1;
      if (port > 65_535) throw taken(name, wished);
    }
    if (port !== wished) moved.push({ name, from: wished, to: port, holder: holderOf(wished)?.command });
    take(name, port);
  }
  return { ports: ports as Ports, moved };
}

/** Whether something on this machine holds the port on any of its addresses, IPv6 included. */
export async function isTaken(port: number): Promise<boolean> {
  if ((await answers(port, '127.0.0.1')) || (await answers(port, '::1'))) return true;
  return !(await canBind(port));
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

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function taken(name: PortName, port: number): ForgeError {
  const holder = holderOf(port);
  const who = holder === undefined ? 'another program' : `${holder.command} (pid ${holder.pid})`;
  return lackingError({
    code: 'PORT_TAKEN',
    message: `Port ${port}, which is set for ${name}, is taken by ${who}`,
    hint: `Stop that program, or set another port (ports.${name} in forge.yaml); without a setting forge takes a free one`,
  });
}
