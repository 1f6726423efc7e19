import { withPostgres, type PostgresClient, type PostgresTarget } from '../../clients/postgresql.js';
import { ForgeError, messageOf, serverError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { Secret } from '../../workspace/secret.js';
import { maskCredentials } from './mask.js';

/** RisingWave's own superuser: it has no password. */
export const RISINGWAVE_LOGIN = { user: 'root', password: '', database: 'dev' } as const;

/** Runs one statement; without parameters, so that the simple protocol does. */
export interface RisingWave {
  query<Row extends object = Record<string, unknown>>(sql: string): Promise<Row[]>;
}

export function risingwaveTarget(stack: Pick<StackContext, 'endpoints'>): PostgresTarget {
  const { host, port } = stack.endpoints['risingwave']!;
  const { user, password, database } = RISINGWAVE_LOGIN;
  return { host, port, user, password: new Secret(password), database, server: 'RisingWave' };
}

/** Connects to the stack's RisingWave and always closes. Credentials in what it refuses are masked. */
export function withRisingWave<T>(
  stack: Pick<StackContext, 'endpoints'>,
  use: (client: RisingWave) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const masked = (client: PostgresClient): RisingWave => ({
    query: (sql) =>
      client.query(sql).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw refusal(error);
      }) as Promise<never>,
  });
  return withPostgres(risingwaveTarget(stack), (client) => use(masked(client)), { signal, alone: true });
}

/** Without its cause: RisingWave quotes the statement that it refuses, with what stands in WITH. */
function refusal(error: unknown): unknown {
  if (!(error instanceof ForgeError) || error.code !== 'POSTGRESQL_FAILED') return error;
  return serverError({
    code: 'RISINGWAVE_FAILED',
    message: maskCredentials(messageOf(error)),
    hint: 'See `forge logs risingwave`',
  });
}

/** A text constant. RisingWave takes a backslash in it literally. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
