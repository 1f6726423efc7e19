import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from '../../clients/http.js';
import type { Probe, ProcessSpec } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import type { Secret } from '../../workspace/secret.js';
import { dataDir, fingerprintOf, portOf, tmpDir, type Component, type ProcessPart } from '../component.js';
import { JAVA_ENV, javaArgs } from '../java.js';
import { quantity } from '../size.js';

const name = 'iceberg-rest';

function probe(context: StackContext): Probe {
  const address = `127.0.0.1:${portOf(context, 'catalog')}`;
  return {
    description: `the Iceberg REST catalog answers on ${address}`,
    async check(signal) {
      const answer = await request(`http://${address}/v1/config`, { signal, timeoutMs: 2500 });
      return answer.ok && typeof answer.json<{ defaults?: object }>().defaults === 'object';
    },
  };
}

function environment(context: StackContext): Record<string, string | Secret> {
  const [database, aws] = [context.credentials.get('catalog-db'), context.credentials.get('aws')];
  const secrets = {
    CATALOG_JDBC_USER: database.username,
    CATALOG_JDBC_PASSWORD: database.password,
    AWS_ACCESS_KEY_ID: aws.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
  };
  return {
    ...JAVA_ENV,
    CATALOG_REST_HOST: '127.0.0.1',
    CATALOG_REST_PORT: String(portOf(context, 'catalog')),
    CATALOG_CATALOG__IMPL: 'org.apache.iceberg.jdbc.JdbcCatalog',
    CATALOG_URI: `jdbc:postgresql://127.0.0.1:${portOf(context, 'postgresql')}/catalog`,
    CATALOG_JDBC_SCHEMA__VERSION: 'V1',
    CATALOG_WAREHOUSE: `s3://${context.config.lake.bucket}/warehouse`,
    CATALOG_IO__IMPL: 'org.apache.iceberg.aws.s3.S3FileIO',
    CATALOG_S3_ENDPOINT: `http://127.0.0.1:${portOf(context, 'localstack')}`,
    CATALOG_S3_PATH__STYLE__ACCESS: 'true',
    AWS_REGION: context.config.lake.region,
    ...Object.fromEntries(Object.entries(secrets).filter((entry): entry is [string, Secret] => entry[1] !== undefined)),
  };
}

const asProcess: ProcessPart = {
  names: [name],
  specs(context, packages): Promise<ProcessSpec[]> {
    const folder = packages.dir('iceberg-rest');
    const command = packages.java('iceberg-rest');
    const args = [
      ...javaArgs({
        heap: context.config.components['iceberg-rest'].heap,
        tmp: tmpDir(context, name),
        metaspace: 160,
        classPath: [join(folder, 'classes'), join(folder, '*')],
        more: [
          '-XX:MaxDirectMemorySize=32m',
          '-Dorg.slf4j.simpleLogger.showDateTime=true',
          '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS',
          '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        ],
      }),
      'ForgeIcebergRest',
    ];
    const env = environment(context);
    const fingerprint = fingerprintOf({ command, args, env });
    const ready = probe(context);
    const stop = { signal: 'SIGTERM', seconds: 10 } as const;
    return Promise.resolve([
      {
        component: name,
        name,
        command,
        args,
        env,
        cwd: dataDir(context, name),
        ports: ['catalog'],
        ready,
        readySeconds: 60,
        stop,
        fingerprint,
      },
    ]);
  },
  async prepare(context) {
    await mkdir(tmpDir(context, name), { recursive: true, mode: 0o700 });
  },
  dataDirs: (context) => [dataDir(context, name)],
};

/** Apache Iceberg's own REST catalog on PostgreSQL, started by forge's launcher, which keeps it on the loopback interface. */
export const icebergRest: Component = {
  name,
  endpoint: 'catalog',
  probe,
  process: asProcess,
  kubernetes: {
    namespace: 'iceberg-rest',
    workloads: [{ kind: 'Deployment', name: 'iceberg-rest' }],
    images: ['iceberg-rest'],
    values: ({ config }) => ({
      request: quantity(config.components['iceberg-rest'].heap, 64),
      limit: quantity(config.components['iceberg-rest'].heap, 256),
    }),
  },
};
