/**
 * Throughput of the event generator against a bare kafkajs producer that sends the same batches (same events, same idempotent
 * producer) in the same run. Needs a broker: `npx tsx bench/generate.ts [host:port] [count]`.
 */
import kafkajs from 'kafkajs';
import { withKafka } from '../src/clients/kafka.js';
import { balloonGame } from '../src/generator/balloon-popper.js';
import { runGenerator, toRecords } from '../src/generator/run.js';

const [bootstrap = '127.0.0.1:19094', countText = '200000'] = process.argv.slice(2);
const count = Number(countText);
const ROUNDS = 3;
const BATCH = 4_000;

const next = balloonGame({ players: 10, bonusProbability: 0.15, seed: 7 });
const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, at) =>
  toRecords(Array.from({ length: Math.min(BATCH, count - at * BATCH) }, next)),
);

async function bare(topic: string): Promise<number> {
  const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  const started = performance.now();
  for (const messages of batches) await producer.send({ topic, messages, acks: -1 });
  const seconds = (performance.now() - started) / 1_000;
  await producer.disconnect();
  return count / seconds;
}

async function forge(topic: string): Promise<number> {
  const { result, failure } = await runGenerator({ bootstrapServers: bootstrap, topic, rate: 'max', count, seed: 7 });
  if (failure !== undefined) throw failure;
  return result.acknowledged / result.seconds;
}

const topic = `bench-generate-${process.pid}`;
await withKafka(bootstrap, (kafka) => kafka.createTopic({ name: topic, partitions: 1, config: { 'retention.bytes': '1000000000' } }));
try {
  const rates: Record<'bare' | 'forge', number[]> = { bare: [], forge: [] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.bare.push(await bare(topic));
    rates.forge.push(await forge(topic));
  }
  // The best round of each: the others were disturbed by something else.
  const [baseline, own] = [Math.max(...rates.bare), Math.max(...rates.forge)];
  console.log(
    JSON.stringify({
      bench: 'generate',
      count,
      barePerSecond: Math.round(baseline),
      forgePerSecond: Math.round(own),
      ratio: +(own / baseline).toFixed(2),
    }),
  );
} finally {
  await withKafka(bootstrap, (kafka) => kafka.deleteTopic(topic));
}
