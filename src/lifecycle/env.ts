import { RISINGWAVE_LOGIN } from '../engines/risingwave/connect.js';
import { warehouseOf, type StackContext } from '../workspace/context.js';

/** What other tools need to connect, by the names that they look for. Holds secrets in clear: it is for stdout of `forge env` only. */
export function environmentOf(stack: StackContext) {
  const { kafka, catalog, localstack } = stack.endpoints;
  const aws = stack.credentials.get('aws');
  const principal = stack.catalog === 'polaris' ? stack.credentials.get('polaris-principal') : undefined;
  return {
    KAFKA_BOOTSTRAP_SERVERS: kafka!.url,
    KAFKA_TOPIC: stack.config.topic.name,
    ICEBERG_REST_URI: catalog!.url,
    ICEBERG_WAREHOUSE: warehouseOf(stack),
    ICEBERG_NAMESPACE: stack.config.lake.namespace,
    ...(principal === undefined ? {} : { ICEBERG_CREDENTIAL: `${principal['clientId']!.reveal()}:${principal['clientSecret']!.reveal()}` }),
    AWS_ENDPOINT_URL: localstack!.url,
    AWS_ACCESS_KEY_ID: aws['accessKeyId']!.reveal(),
    AWS_SECRET_ACCESS_KEY: aws['secretAccessKey']!.reveal(),
    AWS_REGION: stack.config.lake.region,
    ...viewsOf(stack),
  };
}

/** Where the views are: in RisingWave itself, or in PostgreSQL where Flink keeps them. */
function viewsOf(stack: StackContext) {
  const { postgresql, risingwave, flink } = stack.endpoints;
  const at = (host: string, port: number, user: string, password: string, database: string) => ({
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
  });
  if (stack.engine === 'risingwave') {
    const { user, password, database } = RISINGWAVE_LOGIN;
    return at(risingwave!.host, risingwave!.port, user, password, database);
  }
  const { username, password } = stack.credentials.get('views');
  const views = at(postgresql!.host, postgresql!.port, username!.reveal(), password!.reveal(), stack.config.views.database);
  return { ...views, FLINK_URL: flink!.url };
}

export type Shell = 'bash' | 'fish' | 'json' | 'pyiceberg' | 'psql';

/** The environment as text for a shell or a tool: `eval "$(forge env)"`, `psql "$(forge env --shell psql)"`. */
export function formatEnvironment(env: Record<string, string>, shell: Shell): string {
  switch (shell) {
    case 'bash':
      return lines(env, (name, value) => `export ${name}='${value.replaceAll("'", "'\\''")}'`);
    case 'fish':
      return lines(env, (name, value) => `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
    case 'json':
      return JSON.stringify(env, null, 2);
    case 'pyiceberg':
      return pyicebergYaml(env);
    case 'psql': {
      const value = (name: string): string => `'${env[name]!.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
      return `host=${value('PGHOST')} port=${value('PGPORT')} user=${value('PGUSER')} password=${value('PGPASSWORD')} dbname=${value('PGDATABASE')}`;
    }
  }
}

const lines = (env: Record<string, string>, line: (name: string, value: string) => string): string =>
  Object.entries(env)
    .map(([name, value]) => line(name, value))
    .join('\n');

/** A `.pyiceberg.yaml` with the catalog as `default` (PyIceberg's configuration file). */
function pyicebergYaml(env: Record<string, string>): string {
  const properties: [string, string | undefined][] = [
    ['type', 'rest'],
    ['uri', env['ICEBERG_REST_URI']],
    ['warehouse', env['ICEBERG_WAREHOUSE']],
    ['credential', env['ICEBERG_CREDENTIAL']],
    ...(env['ICEBERG_CREDENTIAL'] === undefined
      ? []
      : ([
          ['oauth2-server-uri', `${env['ICEBERG_REST_URI']}/v1/oauth/tokens`],
          ['scope', 'PRINCIPAL_ROLE:ALL'],
          ['header.X-Iceberg-Access-Delegation', ''],
        ] as [string, string][])),
    ['s3.endpoint', env['AWS_ENDPOINT_URL']],
    ['s3.access-key-id', env['AWS_ACCESS_KEY_ID']],
    ['s3.secret-access-key', env['AWS_SECRET_ACCESS_KEY']],
    ['s3.region', env['AWS_REGION']],
    ['s3.path-style-access', 'true'],
  ];
  const text = properties.flatMap(([name, value]) => (value === undefined ? [] : [`    ${name}: ${JSON.stringify(value)}`]));
  return ['catalog:', '  default:', ...text].join('\n');
}
