import type { Client } from 'pg';
import { messageOf, serverError, type ForgeError } from '../errors.js';
import { redact, type Secret } from '../workspace/secret.js';
import { errorCode, unreachableError } from './http.js';
import { SharedConnections, type Opening } from './shared.js';

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
  /** For statements that may take long: others would wait for them on a shared connection. */
  alone?: boolean;
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

/** Statements one after the other, as pg wants them. */
type Ask = (sql: string, values: unknown[], signal: AbortSignal | undefined) => Promise<unknown[]>;
const shared = new SharedConnections<Ask>();

function connecting(PgClient: typeof Client, target: PostgresTarget, connectTimeoutMs: number): Opening<Ask> {
  const client = new PgClient({
    host: target.host,
    port: target.port,
    user: target.user,
    password: target.password.reveal(),
    database: target.database,
    application_name: 'forge',
    connectionTimeoutMillis: connectTimeoutMs,
  });
  // An idle connection that breaks must not end forge; the next query says it.
  client.on('error', () => {});
  let last: Promise<unknown> = Promise.resolve();
  const ask: Ask = (sql, values, signal) => {
    const answer = last.then(async () => {
      signal?.throwIfAborted();
      return (await client.query<Record<string, unknown>>(sql, values)).rows;
    });
    last = answer.catch(() => undefined);
    return answer;
  };
  const opened = client.connect().then(
    () => ask,
    (error: unknown) => {
      throw connectError(error, target);
    },
  );
  return {
    opened,
    close: () => client.end().catch(() => {}),
    cut: () => (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy(),
  };
}

/**
 * Connects, hands the client to `use` and always closes; those who want the same at the same moment share a connection, so
 * nothing may be changed that lasts longer than a statement. An aborted signal throws its reason.
 * @throws ForgeError POSTGRESQL_LOGIN, POSTGRESQL_NO_DATABASE, POSTGRESQL_FAILED, UNREACHABLE (exit 4)
 */
export async function withPostgres<T>(
  target: PostgresTarget,
  use: (client: PostgresClient) => Promise<T>,
  options: PostgresOptions = {},
): Promise<T> {
  const { signal, connectTimeoutMs = 15_000 } = options;
  const pg = (await import('pg')).default;
  const { host, port, user, password, database } = target;
  const all = [host, port, user, password.reveal(), database, serverOf(target), connectTimeoutMs];
  const key = options.alone === true ? undefined : JSON.stringify(all);
  return shared.use(
    key,
    () => connecting(pg.Client, target, connectTimeoutMs),
    (ask) =>
      use({
        async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
          try {
            return (await ask(sql, values, signal)) as Row[];
          } catch (error) {
            signal?.throwIfAborted();
            throw queryError(error, target, sql);
          }
        },
      }),
    signal,
  );
}
