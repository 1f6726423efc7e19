import { z } from 'zod';
import { postgresAdmin } from './connect.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({
  name: z.string().min(1).max(63),
  /** A role that exists. */
  owner: z.string().min(1).max(63),
});

export const postgresqlDatabase = defineModule<z.output<typeof schema>>({
  name: 'postgresql.database',
  summary: 'A PostgreSQL database and its owner',
  schema,
  timeoutSeconds: 60,

  async observe({ name, owner }, context) {
    const { withPostgres } = await import('../clients/postgresql.js');
    const [database] = await withPostgres(
      postgresAdmin(context),
      (client) => client.query<{ owner: string }>('SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1', [name]),
      { signal: context.signal },
    );
    if (database === undefined) return { state: 'missing', message: `no database ${name}` };
    if (database.owner === owner) return { state: 'in-sync' };
    const diff = [{ field: 'owner', is: database.owner, should: owner }];
    return { state: 'drifted', message: `it belongs to ${database.owner} instead of ${owner}`, diff };
  },

  async apply({ name, owner }, observation, context) {
    const { quoteIdentifier: quote, withPostgres } = await import('../clients/postgresql.js');
    const missing = observation.state === 'missing';
    // From template0 with C collation, UTF-8 is possible whatever locale the server was made with.
    const create = `CREATE DATABASE ${quote(name)} OWNER ${quote(owner)} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`;
    const alter = `ALTER DATABASE ${quote(name)} OWNER TO ${quote(owner)}`;
    await withPostgres(postgresAdmin(context), (client) => client.query(missing ? create : alter), { signal: context.signal });
    return missing ? `database ${name} was missing; created` : `database ${name}: ${observation.message}; given to ${owner}`;
  },

  async remove({ name }, context) {
    const { quoteIdentifier: quote, withPostgres } = await import('../clients/postgresql.js');
    await withPostgres(postgresAdmin(context), (client) => client.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`), {
      signal: context.signal,
    });
  },
});
