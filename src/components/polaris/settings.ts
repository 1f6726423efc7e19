import { createHmac } from 'node:crypto';
import { POLARIS_REALM } from '../../clients/iceberg.js';
import type { StackContext } from '../../workspace/context.js';
import { Secret } from '../../workspace/secret.js';
import { portOf } from '../component.js';

/** The database that all catalogs of forge keep their state in. */
export const CATALOG_DATABASE = 'catalog';

const need = (value: Secret | undefined, what: string): Secret => {
  if (value === undefined) throw new Error(`a credential has no ${what}`);
  return value;
};

/** What bin/server and bin/admin share: where the state is. Nothing secret ever is an argument. */
export function persistenceEnv(context: StackContext, javaHome: string, database = CATALOG_DATABASE): Record<string, string | Secret> {
  const postgresql = context.endpoints['postgresql'];
  if (postgresql === undefined) throw new Error('the stack has no endpoint named postgresql');
  const { username, password } = context.credentials.get('catalog-db');
  return {
    JAVA_HOME: javaHome,
    POLARIS_PERSISTENCE_TYPE: 'relational-jdbc',
    QUARKUS_DATASOURCE_JDBC_URL: `jdbc:postgresql://${postgresql.inside.host}:${postgresql.inside.port}/${database}`,
    QUARKUS_DATASOURCE_USERNAME: need(username, 'username').reveal(),
    QUARKUS_DATASOURCE_PASSWORD: need(password, 'password'),
    POLARIS_REALM_CONTEXT_REALMS: POLARIS_REALM,
    QUARKUS_BANNER_ENABLED: 'false',
    QUARKUS_OTEL_SDK_DISABLED: 'true',
  };
}

/** Everything that bin/server is told. */
export function serverEnv(context: StackContext, javaHome: string, javaOptions: string[]): Record<string, string | Secret> {
  const { accessKeyId, secretAccessKey } = context.credentials.get('aws');
  const root = need(context.credentials.get('polaris-root')['clientSecret'], 'clientSecret');
  // Polaris signs tokens with a key that it makes up at each start unless it is given one: Flink's would end with it.
  const tokenKey = new Secret(createHmac('sha256', root.reveal()).update('polaris token broker').digest('base64url'));
  return {
    ...persistenceEnv(context, javaHome),
    POLARIS_JAVA_OPTS: javaOptions.join(' '),
    QUARKUS_HTTP_HOST: '127.0.0.1',
    QUARKUS_HTTP_PORT: String(portOf(context, 'catalog')),
    QUARKUS_MANAGEMENT_HOST: '127.0.0.1',
    QUARKUS_MANAGEMENT_PORT: String(portOf(context, 'catalog-management')),
    QUARKUS_LOG_FILE_ENABLE: 'false',
    POLARIS_AUTHENTICATION_TOKEN_BROKER_TYPE: 'symmetric-key',
    POLARIS_AUTHENTICATION_TOKEN_BROKER_SYMMETRIC_KEY_SECRET: tokenKey,
    AWS_REGION: context.config.lake.region,
    AWS_ACCESS_KEY_ID: need(accessKeyId, 'accessKeyId'),
    AWS_SECRET_ACCESS_KEY: need(secretAccessKey, 'secretAccessKey'),
  };
}
