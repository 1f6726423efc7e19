import { Duplex, PassThrough } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../errors.js';
import type { KubeAccess } from './kubernetes-access.js';

/** A port that a container of a pod listens on. */
export interface PodPort {
  namespace: string;
  pod: string;
  port: number;
}

/** What is used of a web socket. */
interface Tunnel {
  send(data: Uint8Array, done: (error?: Error) => void): void;
  pause(): void;
  resume(): void;
  close(): void;
  terminate(): void;
  on(event: 'close', listener: (code: number) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

const OPEN_MS = 10_000;
/** The stream numbers of a port-forward with one port: its data, and what the node says of a failure. */
const DATA = 0;
const CUT_OFF = 1006;

/**
 * Opens a connection to a port of a pod, through the API server. The client library's own port-forward takes no notice of how
 * fast either side reads and cannot tell an end from a failure, so only its web socket is used.
 */
export async function openPodPort(access: KubeAccess, { namespace, pod, port }: PodPort, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/portforward?ports=${port}`;
  const stream = new PodStream();
  const opening = webSocket(access, path, (channel, bytes) => stream.heard(channel, bytes));
  // One that opens after all is not left open.
  opening.then(
    (tunnel) => {
      if (stream.destroyed) tunnel.terminate();
    },
    () => undefined,
  );
  let limit: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    const given = new Promise<never>((_, reject) => {
      limit = setTimeout(() => reject(new Error(`no answer within ${OPEN_MS / 1000} s`)), OPEN_MS);
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    stream.through(await Promise.race([opening, given]));
    return stream;
  } catch (error) {
    stream.destroy();
    signal.throwIfAborted();
    throw new Error(`no way to port ${port} of pod ${namespace}/${pod}: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(limit);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

async function webSocket(access: KubeAccess, path: string, onBytes: (channel: number, bytes: Buffer) => void): Promise<Tunnel> {
  const config = {
    getCurrentCluster: () => ({ server: access.server.href.replace(/\/$/, '') }),
    applyToHTTPSOptions: async (options: object) => void Object.assign(options, await access.options('stream')),
  };
  // Its default streams are those of this process.
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  // This file of the library alone loads in a thirtieth of the time that the whole takes.
  const { WebSocketHandler } = await import('@kubernetes/client-node/dist/web-socket-handler.js');
  const handler = new WebSocketHandler(config as unknown as KubeConfig, undefined, streams);
  const take = (channel: number, bytes: Buffer): boolean => {
    onBytes(channel, bytes);
    return true;
  };
  try {
    const socket: unknown = await handler.connect(path, null, take);
    return socket as Tunnel;
  } catch (error) {
    throw error instanceof Error ? error : new Error((error as { message?: string }).message ?? 'the web socket was refused');
  }
}

/** A web socket with numbered streams, as the one stream of bytes that matters. */
class PodStream extends Duplex {
  #tunnel: Tunnel | undefined;
  /** The first message of each stream repeats the port's number. */
  readonly #begun = new Set<number>();

  constructor() {
    super({ allowHalfOpen: false });
    // It may break off before whoever asked for it has got it.
    this.on('error', () => undefined);
  }

  through(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
    tunnel.on('close', (code) => {
      if (code === CUT_OFF) this.destroy(new Error('the connection to the pod was cut off'));
      else this.push(null);
    });
    tunnel.on('error', (error) => this.destroy(error));
  }

  heard(channel: number, bytes: Buffer): void {
    const rest = this.#begun.has(channel) ? bytes : bytes.subarray(2);
    this.#begun.add(channel);
    if (rest.length === 0 || this.destroyed) return;
    if (channel !== DATA) this.destroy(new Error(rest.toString('utf8').trim()));
    else if (!this.push(rest)) this.#tunnel?.pause();
  }

  override _read(): void {
    this.#tunnel?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#tunnel?.send(Buffer.concat([Buffer.of(DATA), chunk]), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#tunnel?.resume();
    this.#tunnel?.close();
    done(error);
  }
}
