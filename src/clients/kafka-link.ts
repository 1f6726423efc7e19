import { connect as connectSocket, type Socket } from 'node:net';
import type { Kafka } from 'kafkajs';
import { messageOf, serverError, usageError, type ForgeError } from '../errors.js';
import { redact } from '../workspace/secret.js';
import { unreachableError } from './http.js';
import { unlessAborted } from './wait.js';

export interface KafkaOptions {
  signal?: AbortSignal | undefined;
  /** For one TCP connection. */
  connectTimeoutMs?: number;
  requestTimeoutMs?: number;
  retry?: { retries: number; initialRetryTime: number; maxRetryTime: number };
}

/** Seconds that a server may take to show that it speaks Kafka. */
const HANDSHAKE_MS = 5_000;
const NO_RETRY = { retries: 0, initialRetryTime: 50, maxRetryTime: 50 };

/** Splits `host:port,host:port`; throws a usage error that names `source` (a flag or file) when it is not that. */
export function parseBootstrap(text: string, source = '--bootstrap-servers'): string[] {
  const servers = text.split(',').map((part) => part.trim());
  for (const server of servers) {
    const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/.exec(server)?.[1]);
    if (!(port >= 1 && port <= 65535))
      throw usageError({
        code: 'BAD_FLAG',
        message: `${source}: expected host:port, several separated by commas, not ${server === '' ? 'an empty text' : `"${server}"`}`,
        hint: `For example ${source} 127.0.0.1:19094`,
      });
  }
  return servers;
}

/** The kafkajs error that matters in a chain of retry wrappers. */
export function innermost(error: unknown): Error & { type?: string; broker?: string; code?: string | number } {
  let at = error instanceof Error ? error : new Error(String(error));
  while (at.cause instanceof Error) at = at.cause;
  return at;
}

/** The broker's own name for an error (`UNKNOWN_TOPIC_OR_PARTITION`), if it is one. */
export const kafkaErrorType = (error: unknown): string | undefined => innermost(error).type;

const normal = (server: string) => server.replace(/^localhost:/, '127.0.0.1:').replaceAll(/[[\]]/g, '');

/** Turns what kafkajs throws into an error for people (exit 4). */
export function kafkaError(error: unknown, bootstrap: string, doing: string): ForgeError {
  const inner = innermost(error);
  const hint = 'Start it with `forge up`, or name another broker with --bootstrap-servers';
  const known = bootstrap.split(',').map((server) => normal(server.trim()));
  if (/^KafkaJS(Connection|RequestTimeout|BrokerNotFound|ConnectionClosed)/.test(inner.name) || typeof inner.code === 'string') {
    const reason = /ECONNREFUSED/.test(inner.message)
      ? 'connection refused'
      : /timeout|ETIMEDOUT/i.test(inner.message)
        ? 'timed out'
        : /ECONNRESET|EPIPE|Closed connection/i.test(inner.message)
          ? 'the broker closed the connection'
          : inner.message.replace(/^Connection error: /, '');
    const broker = inner.broker;
    if (broker !== undefined && broker !== '' && !known.includes(normal(broker)))
      return serverError({
        code: 'ADVERTISED_UNREACHABLE',
        message: redact(`Kafka answers on ${bootstrap} but tells its clients to use ${broker}, which cannot be reached: ${reason}`),
        hint: "Correct the broker's advertised.listeners, so that this machine can reach the address",
        cause: error,
      });
    return unreachableError(bootstrap, `Kafka, ${doing}`, reason, hint);
  }
  return serverError({
    code: 'KAFKA_FAILED',
    message: redact(`Kafka on ${bootstrap} failed at ${doing}: ${inner.type === undefined ? '' : `${inner.type}: `}${messageOf(inner)}`),
    hint: 'See `forge logs kafka`',
    cause: error,
  });
}

export interface KafkaLink {
  kafka: Kafka;
  /** Ends its connections at once. */
  cut(): void;
  /** Waits for a step; an aborted signal cuts the connections and throws its reason. */
  run<T>(doing: string, step: () => Promise<T>, limitMs?: number): Promise<T>;
  /** Disconnects politely for at most a second, then cuts what is left. */
  close(disconnect: () => Promise<void>): Promise<void>;
}

/** A kafkajs client whose sockets forge holds in its hand, so that nothing outlives it. */
export async function openKafka(bootstrap: string, options: KafkaOptions = {}): Promise<KafkaLink> {
  const { Kafka: Client, logLevel } = (await import('kafkajs')).default;
  const sockets = new Set<Socket>();
  const cut = (why: string) => {
    for (const socket of sockets) socket.destroy(new Error(why));
  };
  const kafka = new Client({
    clientId: 'forge',
    brokers: bootstrap.split(',').map((server) => server.trim()),
    connectionTimeout: options.connectTimeoutMs ?? 2_000,
    requestTimeout: options.requestTimeoutMs ?? 10_000,
    retry: { ...(options.retry ?? NO_RETRY), factor: 0.2, multiplier: 2 },
    logLevel: logLevel.NOTHING,
    socketFactory: ({ host, port, onConnect }) => {
      const socket = connectSocket({ host, port, noDelay: true, keepAlive: true }, onConnect);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return socket;
    },
  });
  return {
    kafka,
    cut: () => cut('interrupted'),
    async run<T>(doing: string, step: () => Promise<T>, limitMs?: number): Promise<T> {
      options.signal?.throwIfAborted();
      const silence = new AbortController();
      const timer = limitMs === undefined ? undefined : setTimeout(() => silence.abort(), limitMs);
      const ends = [silence.signal, ...(options.signal === undefined ? [] : [options.signal])];
      try {
        return await unlessAborted(step(), AbortSignal.any(ends));
      } catch (error) {
        if (options.signal?.aborted) {
          cut('interrupted');
          throw options.signal.reason;
        }
        if (silence.signal.aborted) {
          cut('no answer');
          throw unreachableError(bootstrap, `Kafka, ${doing}`, `it took the connection and said nothing for ${(limitMs ?? 0) / 1000} s`);
        }
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    async close(disconnect) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, 1_000)));
      await Promise.race([disconnect().catch(() => {}), patience]);
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Connects within about two seconds or throws UNREACHABLE; the reason of a silent or foreign server is said. */
export async function connectOrExplain(link: KafkaLink, bootstrap: string, connect: () => Promise<void>): Promise<void> {
  try {
    await link.run('connecting', connect, HANDSHAKE_MS);
  } catch (error) {
    if (error instanceof Error && /^KafkaJS/.test(error.name)) throw kafkaError(error, bootstrap, 'connecting');
    throw error;
  }
}
