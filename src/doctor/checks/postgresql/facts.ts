import { withPostgres, type PostgresTarget } from '../../../clients/postgresql.js';
import type { StackPlace } from '../../check.js';

export interface PostgresFacts {
  /** Connections that ordinary users may have, and that there are. */
  most: number;
  used: number;
  /** Those who hold most of them: `views 40`. */
  holders: string[];
  /** What makes it read-only, in words; undefined when it is not. */
  readOnly: string | undefined;
}

const CONNECT_MS = 4_000;

interface Row {
  most: number;
  recovers: boolean;
  read_only: string;
  holders: { user: string; count: number }[];
  databases: string[];
}

const SQL = `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
  pg_is_in_recovery() AS recovers,
  current_setting('default_transaction_read_only') AS read_only,
  (SELECT coalesce(json_agg(h), '[]') FROM (
    SELECT coalesce(usename, '?') AS user, count(*)::int AS count FROM pg_stat_activity
    WHERE backend_type = 'client backend' GROUP BY usename ORDER BY 2 DESC) h) AS holders,
  (SELECT coalesce(json_agg(datname), '[]') FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE 'default_transaction_read_only=on' = ANY (s.setconfig)) AS databases`;

/** What PostgreSQL tells its superuser of itself. */
export const postgresFacts = (place: StackPlace): Promise<PostgresFacts> =>
  place.share('postgresql', async (signal) => {
    const [row] = await withPostgres(superuser(place), (client) => client.query<Row>(SQL), { signal, connectTimeoutMs: CONNECT_MS });
    if (row === undefined) throw new Error('PostgreSQL tells nothing of itself');
    const { most, recovers, read_only, holders, databases } = row;
    const used = holders.reduce((sum, { count }) => sum + count, 0);
    const readOnly = recovers
      ? 'it is in recovery (a standby, or replaying its log)'
      : read_only === 'on'
        ? 'default_transaction_read_only is on for the whole server'
        : databases.length > 0
          ? `default_transaction_read_only is on for the database ${databases.join(', ')}`
          : undefined;
    return { most, used, holders: holders.map(({ user, count }) => `${user} ${count}`), readOnly };
  });

function superuser({ stack }: StackPlace): PostgresTarget {
  const { username, password } = stack.credentials.get('postgresql');
  const endpoint = stack.endpoints['postgresql'];
  if (username === undefined || password === undefined || endpoint === undefined)
    throw new Error("the superuser's password is not in .forge/credentials");
  return { host: endpoint.host, port: endpoint.port, user: username.reveal(), password, database: 'postgres' };
}
