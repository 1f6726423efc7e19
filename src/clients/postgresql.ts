import type { Client } from 'pg';
import { messageOf, serverError, type ForgeError } from '../errors.js';
import { redact, type Secret } from '../workspace/secret.js';
import { errorCode, unreachableError } from './http.js';

export interface PostgresTarget {
  host: string;
  port: number;
  user: string;
  password: Secret;
  database: string;
  /** What answers there, for errors, when it is not PostgreSQL itself. */
  server?: string;
}

const serverOf = ({ server = 'PostgreSQL' }: PostgresTarget): string => server;
const logsOf = (target: PostgresTarget): string => `See \`forge logs ${serverOf(target).toLowerCase()}\``;

export interface PostgresClient {
  /** Values go in as $1, $2, …; identifiers through `quoteIdentifier`. */
  query<Row extends object = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>;
}

export interface PostgresOptions {
  signal?: AbortSignal | undefined;
  connectTimeoutMs?: number;
}

/** A name as PostgreSQL takes it literally: `"views"`. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
/** A text constant, for the statements that take no parameters (ALTER ROLE … PASSWORD). */
export const quoteLiteral = (text: string): string =>
  (text.includes('\\') ? ' E' : '') + `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** The five-character code of a server's error (`28P01`, `42P07`); undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in at) return code;
  }
  return undefined;
}

/** True when the server has no database of that name: nothing that would lie in it is there either. */
export const isNoDatabase = (error: unknown): boolean => sqlState(error) === '3D000';
/** True when the server took the connection and refused the user or the password. */
export const isLoginRefused = (error: unknown): boolean => ['28P01', '28000'].includes(sqlState(error) ?? '');

function connectError(error: unknown, target: PostgresTarget): ForgeError {
  const { host, port, user, database } = target;
  const where = `${serverOf(target)} on ${host}:${port}`;
  const state = sqlState(error);
  if (state === '28P01' || state === '28000')
    return serverError({
      code: 'POSTGRESQL_LOGIN',
      message: `${where} refuses the password of user ${user}`,
      hint: 'Run `forge up`: it sets the password again to the one in .forge/credentials',
      cause: error,
    });
  if (state === '3D000')
    return serverError({
      code: 'POSTGRESQL_NO_DATABASE',
      message: `${where} has no database ${database}`,
      hint: 'Run `forge up` to create it',
      cause: error,
    });
  if (state !== undefined)
    return serverError({
      code: 'POSTGRESQL_FAILED',
      message: redact(`${where} refuses user ${user} on database ${database}: ${messageOf(error)}`),
      hint: logsOf(target),
      cause: error,
    });
  // pg reports its own time-out and an early close without a code.
  const text = messageOf(error);
  const reason = /timeout/i.test(text) ? 'timed out' : /terminated|closed/i.test(text) ? 'connection closed by the server' : error;
  return unreachableError(`${host}:${port}`, serverOf(target), errorCode(error) === undefined ? reason : error);
}

function queryError(error: unknown, target: PostgresTarget, sql: string): ForgeError {
  const statement = sql.trim().split(/\s+/).slice(0, 3).join(' ');
  return serverError({
    code: 'POSTGRESQL_FAILED',
    message: redact(
      `${serverOf(target)} on ${target.host}:${target.port} (database ${target.database}) refuses ${statement} …: ${messageOf(error)}`,
    ),
    hint: logsOf(target),
    cause: error,
  });
}

/** Connects, hands the client to `use` and always closes. An aborted signal cuts the connection and throws its reason. */
export async function withPostgres<T>(
  target: PostgresTarget,
  use: (client: PostgresClient) => Promise<T>,
  options: PostgresOptions = {},
): Promise<T> {
  const { signal } = options;
  signal?.throwIfAborted();
  const pg = (await import('pg')).default;
  const client: Client = new pg.Client({
    host: target.host,
    port: target.port,
    user: target.user,
    password: target.password.reveal(),
    database: target.database,
    application_name: 'forge',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 15_000,
  });
  // An idle connection that breaks must not end forge; the next query says it.
  client.on('error', () => {});
  const cut = () => (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  signal?.addEventListener('abort', cut, { once: true });
  try {
    await client.connect().catch((error: unknown) => {
      signal?.throwIfAborted();
      throw connectError(error, target);
    });
    return await use({
      async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
        try {
          return (await client.query(sql, values)).rows as Row[];
        } catch (error) {
          signal?.throwIfAborted();
          throw queryError(error, target, sql);
        }
      },
    });
  } finally {
    signal?.removeEventListener('abort', cut);
    await client.end().catch(() => {});
  }
}
