import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { lackingError, type ForgeError } from '../../errors.js';
import { holderOf } from '../../workspace/port-holder.js';

/** A port of a service inside the cluster. */
export interface ServicePort {
  namespace: string;
  service: string;
  port: number;
}

/** One port of this machine and where it leads. */
export interface Forward {
  /** Name of the port (`kafka`), for people. */
  name: string;
  port: number;
  to: ServicePort;
}

/** Opens a way to a pod that is ready behind a service at this moment; throws when there is none. */
export type Dial = (to: ServicePort, signal: AbortSignal) => Promise<Duplex>;

export interface Forwards {
  /** Ends the listeners and all that goes through them. */
  close(): Promise<void>;
}

/**
 * After a client has said all, its server has this long without a word to answer: the way into a pod has no half-closed state.
 * PostgreSQL's client waits for the end of each connection, so it is short.
 */
const QUIET_MS = 200;

/**
 * Listens on 127.0.0.1 and leads each connection to a pod of its own finding, so that a pod that restarts, moves or does not
 * exist yet needs no mending here. A connection for which there is none is reset at once: clients try again.
 * @throws ForgeError PORT_TAKEN (exit 3), and then nothing listens
 */
export async function openForwards(forwards: readonly Forward[], dial: Dial): Promise<Forwards> {
  const open = await Promise.allSettled(forwards.map((forward) => listen(forward, dial)));
  const listeners = open.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  const refused = open.find((result) => result.status === 'rejected');
  if (refused === undefined) return { close };
  await close();
  throw refused.reason;
}

async function listen({ name, port, to }: Forward, dial: Dial): Promise<Forwards> {
  const sockets = new Set<Socket>();
  const end = new AbortController();
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void lead(socket, (signal) => dial(to, AbortSignal.any([signal, end.signal])));
  });
  await bind(server, name, port);
  return {
    close: async () => {
      end.abort();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function bind(server: Server, name: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? portTaken(name, port, error) : error));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve());
  });
}

/** Joins a connection with its pod until one of them ends. */
async function lead(socket: Socket, dial: (signal: AbortSignal) => Promise<Duplex>): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort()).on('error', () => undefined);
  let pod: Duplex;
  try {
    pod = await dial(gone.signal);
  } catch {
    socket.resetAndDestroy();
    return;
  }
  if (pod.destroyed) return void socket.resetAndDestroy();
  pod.on('error', () => socket.resetAndDestroy());
  pod.once('close', () => socket.destroySoon());
  socket.once('close', () => pod.destroy());
  if (socket.destroyed) return void pod.destroy();
  let heard = performance.now();
  pod.on('data', () => (heard = performance.now()));
  socket.once('end', () => void whenQuiet(() => heard, gone.signal).then(() => pod.destroy()));
  pod.pipe(socket);
  socket.pipe(pod, { end: false });
  socket.resume();
}

async function whenQuiet(heard: () => number, gone: AbortSignal): Promise<void> {
  for (let left = QUIET_MS; left > 0 && !gone.aborted; left = heard() + QUIET_MS - performance.now())
    await delay(left, undefined, { signal: gone }).catch(() => undefined);
}

function portTaken(name: string, port: number, cause: unknown): ForgeError {
  const holder = holderOf(port);
  const by = holder === undefined ? 'a process of another user or a container' : `process ${holder.pid} (${holder.command})`;
  return lackingError({
    code: 'PORT_TAKEN',
    message: `Port ${port} on this machine, which leads to ${name} in the cluster, is taken by ${by}`,
    hint: `End that process, or give ${name} another port in forge.yaml (ports: …)`,
    cause,
  });
}
