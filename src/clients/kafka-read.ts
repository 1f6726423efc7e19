import { randomUUID } from 'node:crypto';
import { connectOrExplain, kafkaError, openKafka } from './kafka-link.js';
import { withKafka } from './kafka.js';

export interface KafkaMessage {
  partition: number;
  offset: bigint;
  key: string | undefined;
  value: string;
}

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  onMessage: (message: KafkaMessage) => void;
  /** First offset to read, by partition; the beginning when not given. */
  from?: Map<number, bigint>;
  /** Offsets to stop at, by partition, themselves not read; what the topic holds now when not given. */
  until?: Map<number, bigint>;
}

/** Reads a topic up to the end that it has now (or `until`), and leaves no consumer group behind. Returns the number of messages. */
export async function readTopic(bootstrap: string, topic: string, options: ReadOptions): Promise<number> {
  const { signal } = options;
  const offsets = await withKafka(bootstrap, (kafka) => kafka.offsets(topic), { signal });
  const from = new Map(offsets.map(({ partition, low }) => [partition, max(low, options.from?.get(partition))]));
  const until = new Map(offsets.map(({ partition, high }) => [partition, options.until?.get(partition) ?? high]));
  const open = new Set([...until].filter(([partition, end]) => end > (from.get(partition) ?? 0n)).map(([partition]) => partition));
  if (open.size === 0) return 0;

  const groupId = `forge-reader-${randomUUID()}`;
  const link = await openKafka(bootstrap, { signal, retry: { retries: 8, initialRetryTime: 50, maxRetryTime: 500 } });
  const consumer = link.kafka.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 200 });
  let read = 0;
  try {
    await connectOrExplain(link, bootstrap, () => consumer.connect());
    await link.run(`reading topic ${topic}`, async () => {
      await consumer.subscribe({ topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          if (!payload.restart) reject(payload.error);
        });
        consumer
          .run({
            autoCommit: false,
            eachBatch: async ({ batch }) => {
              const { partition } = batch;
              const first = from.get(partition) ?? 0n;
              const end = until.get(partition) ?? 0n;
              if (!open.has(partition)) return;
              for (const { offset, key, value } of batch.messages) {
                const at = BigInt(offset);
                if (at < first || at >= end) continue;
                read++;
                options.onMessage({ partition, offset: at, key: key?.toString(), value: value?.toString() ?? '' });
              }
              if (BigInt(batch.lastOffset()) + 1n >= end) open.delete(partition);
              if (open.size === 0) resolve();
            },
          })
          .catch(reject);
        for (const [partition, offset] of from) consumer.seek({ topic, partition, offset: String(offset) });
      });
    });
    return read;
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof Error && error.name.startsWith('KafkaJS') ? kafkaError(error, bootstrap, `reading topic ${topic}`) : error;
  } finally {
    await link.close(() => consumer.disconnect());
    // The group is of no use to anyone; a broker that is gone keeps it until it expires.
    if (!signal?.aborted) await withKafka(bootstrap, (kafka) => kafka.deleteGroup(groupId)).catch(() => {});
  }
}

const max = (a: bigint, b: bigint | undefined) => (b !== undefined && b > a ? b : a);
