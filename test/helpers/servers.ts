import type { KafkaAdmin } from '../../src/clients/kafka.js';
import { withKafka } from '../../src/clients/kafka.js';
import { withPostgres } from '../../src/clients/postgresql.js';
import type { S3Client } from '../../src/clients/s3.js';
import { kafkaBootstrap, postgresAdmin, s3Of } from '../../src/modules/connect.js';
import type { TaskContext } from '../../src/modules/contract.js';
import type { TestWorld } from './world.js';

/** What a module gets, for a world. */
export const contextOf = ({ stack }: TestWorld): TaskContext => ({
  stack,
  signal: new AbortController().signal,
  progress: () => {},
  waitingFor: () => {},
});

/** SQL behind forge's back, as the superuser. */
export const sql = <Row extends object>(world: TestWorld, text: string, database?: string): Promise<Row[]> =>
  withPostgres(postgresAdmin(contextOf(world), database), (client) => client.query<Row>(text));

/** Kafka's administration behind forge's back. */
export const kafka = <T>(world: TestWorld, use: (admin: KafkaAdmin) => Promise<T>): Promise<T> =>
  withKafka(kafkaBootstrap(contextOf(world)), use);

export const s3 = (world: TestWorld): Promise<S3Client> => s3Of(contextOf(world));
