import { withPostgres, type PostgresClient, type PostgresTarget } from '../../../src/clients/postgresql.js';
import { Secret } from '../../../src/workspace/secret.js';
import type { RealmState, Store } from './state.js';

/** The database that Polaris' own variables name. */
export function targetFromEnv(env: NodeJS.ProcessEnv): PostgresTarget {
  const url = /^jdbc:postgresql:\/\/([^:/]+):(\d+)\/([^?]+)/.exec(env['QUARKUS_DATASOURCE_JDBC_URL'] ?? '');
  const { QUARKUS_DATASOURCE_USERNAME: user, QUARKUS_DATASOURCE_PASSWORD: password, POLARIS_PERSISTENCE_TYPE: type } = env;
  if (type !== 'relational-jdbc' || !url || user === undefined || password === undefined)
    throw new Error('POLARIS_PERSISTENCE_TYPE and QUARKUS_DATASOURCE_{JDBC_URL,USERNAME,PASSWORD} are needed');
  return { host: url[1]!, port: Number(url[2]), database: url[3]!, user, password: new Secret(password) };
}

/** Keeps a realm in PostgreSQL: the table of client ids as Polaris has it, the rest in a document. */
export function postgresStore(target: PostgresTarget, realm: string): Store {
  const run = <T>(use: (client: PostgresClient) => Promise<T>): Promise<T> => withPostgres(target, use);
  return {
    load: () =>
      run(async (client) => {
        const [found] = await client.query<{ found: boolean }>("SELECT to_regclass('polaris_schema.fake_realm') IS NOT NULL AS found");
        if (found?.found !== true) return undefined;
        const rows = await client.query<{ state: string }>('SELECT state FROM polaris_schema.fake_realm WHERE realm_id = $1', [realm]);
        return rows[0] && (JSON.parse(rows[0].state) as RealmState);
      }),
    save: (state) =>
      run(async (client) => {
        await client.query('CREATE SCHEMA IF NOT EXISTS polaris_schema');
        await client.query('CREATE TABLE IF NOT EXISTS polaris_schema.fake_realm (realm_id text PRIMARY KEY, state text NOT NULL)');
        await client.query(
          'CREATE TABLE IF NOT EXISTS polaris_schema.principal_authentication_data (realm_id text, principal_id text, principal_client_id text, main_secret_hash text, PRIMARY KEY (realm_id, principal_client_id))',
        );
        await client.query('DELETE FROM polaris_schema.principal_authentication_data WHERE realm_id = $1', [realm]);
        for (const { entity, secretHash } of Object.values(state.principals))
          await client.query('INSERT INTO polaris_schema.principal_authentication_data VALUES ($1, $2, $3, $4)', [
            realm,
            entity.name,
            entity.clientId,
            secretHash,
          ]);
        await client.query(
          'INSERT INTO polaris_schema.fake_realm VALUES ($1, $2) ON CONFLICT (realm_id) DO UPDATE SET state = EXCLUDED.state',
          [realm, JSON.stringify(state)],
        );
      }),
  };
}
