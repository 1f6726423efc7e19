import { randomUUID } from 'node:crypto';
import { withKafka } from '../../../clients/kafka.js';
import { connectProducer, type KafkaProducer } from '../../../clients/kafka-produce.js';
import { readTopic } from '../../../clients/kafka-read.js';
import { ForgeError, messageOf } from '../../../errors.js';
import type { Check, Trouble } from '../../check.js';
import { kafkaFacts } from './facts.js';

/** forge's own topic: small, kept, so that the next look is fast; what was written is gone after a while. */
const TOPIC = { name: 'forge-doctor', partitions: 1, config: { 'retention.ms': '600000', 'segment.ms': '600000' } };

/** Writes a record, and reads it again. */
export const kafkaRoundTrip: Check = {
  id: 'kafka-round-trip',
  group: 'kafka',
  title: 'Kafka takes a record and gives it back',
  needs: ['kafka-advertised'],
  seconds: 8,
  async look(place) {
    const { address } = await kafkaFacts(place);
    const { signal } = place;
    try {
      const came = await roundTrip(address, signal);
      return came ? [] : [trouble(`It took a record into topic ${TOPIC.name}, and does not give it back`)];
    } catch (error) {
      signal.throwIfAborted();
      return [trouble(messageOf(error))];
    }
  },
};

async function roundTrip(address: string, signal: AbortSignal): Promise<boolean> {
  const text = `forge-doctor ${randomUUID()}`;
  const producer = await producerOf(address, signal);
  try {
    await producer.send([{ key: 'doctor', value: text }]);
  } finally {
    await producer.close();
  }
  let came = false;
  // What it still holds of earlier looks is little.
  await readTopic(address, TOPIC.name, { onMessage: ({ value }) => void (came ||= value === text), signal });
  return came;
}

/** The topic is made when there is none yet. */
async function producerOf(address: string, signal: AbortSignal): Promise<KafkaProducer> {
  const connect = (): Promise<KafkaProducer> => connectProducer(address, TOPIC.name, { signal, retries: 3 });
  try {
    return await connect();
  } catch (error) {
    if (!(error instanceof ForgeError) || error.code !== 'TOPIC_MISSING') throw error;
    await withKafka(address, (kafka) => kafka.createTopic(TOPIC), { signal });
    return connect();
  }
}

const trouble = (cause: string): Trouble => ({
  component: 'kafka',
  title: 'Kafka answers, but does not take a record and give it back',
  cause,
  remedy: 'See `forge logs kafka`: a full disk and a damaged log folder show there',
});
