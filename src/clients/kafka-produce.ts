import type { Producer } from 'kafkajs';
import { serverError } from '../errors.js';
import { connectOrExplain, kafkaError, openKafka, type KafkaOptions } from './kafka-link.js';
import { withKafka } from './kafka.js';

export interface KafkaRecord {
  key: string;
  value: string;
}

export interface KafkaProducer {
  /**
   * Resolves when the broker has acknowledged every record. A broker that goes away is tried again for about half a minute;
   * the broker recognises what it already has. After an error nothing more may be sent through this producer: it is
   * unknown whether the batch arrived.
   */
  send(records: KafkaRecord[]): Promise<void>;
  close(): Promise<void>;
}

export interface ProducerOptions {
  gzip?: boolean;
  signal?: AbortSignal | undefined;
  /** Tries after the first when the broker goes away. */
  retries?: number;
}

/** Up to 0.1 + 0.2 + 0.4 + 0.8 + 1 + 1 … s, half a minute in all. */
const PATIENCE = { retries: 30, initialRetryTime: 100, maxRetryTime: 1_000 };

/** Connects an idempotent producer (all acknowledgements); a missing broker or topic is an error at once. */
export async function connectProducer(bootstrap: string, topic: string, options: ProducerOptions = {}): Promise<KafkaProducer> {
  const { signal } = options;
  await withKafka(
    bootstrap,
    async (kafka) => {
      if ((await kafka.describeTopic(topic)) === undefined)
        throw serverError({
          code: 'TOPIC_MISSING',
          message: `Kafka on ${bootstrap} has no topic ${topic}`,
          hint: 'Create it with `forge up`, or name another topic with --topic',
        });
    },
    { signal },
  );
  const patient: KafkaOptions = { signal, retry: { ...PATIENCE, retries: options.retries ?? PATIENCE.retries } };
  const link = await openKafka(bootstrap, patient);
  const { CompressionTypes, Partitioners } = (await import('kafkajs')).default;
  const producer: Producer = link.kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  const close = () => link.close(() => producer.disconnect());
  try {
    await connectOrExplain(link, bootstrap, () => producer.connect());
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async send(records) {
      try {
        await link.run('sending events', () =>
          producer.send({ topic, messages: records, acks: -1, compression: options.gzip ? CompressionTypes.GZIP : CompressionTypes.None }),
        );
      } catch (error) {
        signal?.throwIfAborted();
        throw kafkaError(error, bootstrap, `sending to topic ${topic}`);
      }
    },
    close,
  };
}
