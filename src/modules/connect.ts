import type { PostgresTarget } from '../clients/postgresql.js';
import type { S3Client, S3Options } from '../clients/s3.js';
import { usageError } from '../errors.js';
import type { Endpoint } from '../workspace/context.js';
import type { Credential } from '../workspace/credentials.js';
import type { Secret } from '../workspace/secret.js';
import type { TaskContext } from './contract.js';

/** Where a component listens; throws when the stack has no such component. */
export function endpointOf({ stack }: Pick<TaskContext, 'stack'>, name: string): Endpoint {
  const endpoint = stack.endpoints[name];
  if (endpoint === undefined)
    throw usageError({ code: 'NO_ENDPOINT', message: `The stack ${stack.stack} has no component ${name}`, hint: 'See `forge urls`' });
  return endpoint;
}

/** Address that Kafka clients start from. */
export function kafkaBootstrap(context: TaskContext): string {
  const { host, port } = endpointOf(context, 'kafka');
  return `${host}:${port}`;
}

/** A connection as the superuser. */
export function postgresAdmin(context: TaskContext, database = 'postgres'): PostgresTarget {
  const { host, port } = endpointOf(context, 'postgresql');
  const credential = context.stack.credentials.get('postgresql');
  return { host, port, user: field(credential, 'username').reveal(), password: field(credential, 'password'), database };
}

/** The object store of the stack, with the keys that the stack has. */
export async function s3Of(context: Pick<TaskContext, 'stack' | 'signal'>, options: Omit<S3Options, 'signal'> = {}): Promise<S3Client> {
  const { connectS3 } = await import('../clients/s3.js');
  const credential = context.stack.credentials.get('aws');
  return connectS3(
    {
      url: endpointOf(context, 'localstack').url,
      region: context.stack.config.lake.region,
      accessKeyId: field(credential, 'accessKeyId'),
      secretAccessKey: field(credential, 'secretAccessKey'),
    },
    { signal: context.signal, ...options },
  );
}

function field(credential: Credential, name: string): Secret {
  const value = credential[name];
  if (value === undefined)
    throw usageError({
      code: 'CREDENTIAL_UNREADABLE',
      message: `A file in .forge/credentials has no ${name}`,
      hint: 'Run `forge generate credentials`',
    });
  return value;
}
