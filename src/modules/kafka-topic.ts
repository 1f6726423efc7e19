import { z } from 'zod';
import { usageError } from '../errors.js';
import { kafkaBootstrap } from './connect.js';
import { defineModule, type Difference } from './contract.js';

const schema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, 'expected a topic name (letters, digits, dots, underscores and hyphens)'),
  partitions: z.int().min(1).max(1000).default(1),
  /** Settings of the topic, as Kafka names them. */
  config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});

const textsOf = (config: z.output<typeof schema>['config']) =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [key, String(value)]));

export const kafkaTopic = defineModule<z.output<typeof schema>>({
  name: 'kafka.topic',
  summary: 'A Kafka topic with its number of partitions and its settings',
  schema,
  timeoutSeconds: 60,

  async observe(args, context) {
    const { withKafka } = await import('../clients/kafka.js');
    const topic = await withKafka(kafkaBootstrap(context), (kafka) => kafka.describeTopic(args.name), { signal: context.signal });
    if (topic === undefined) return { state: 'missing', message: `no topic ${args.name}` };
    const diff: Difference[] = [];
    if (topic.partitions !== args.partitions)
      diff.push({ field: 'partitions', is: String(topic.partitions), should: String(args.partitions) });
    for (const [key, should] of Object.entries(textsOf(args.config))) {
      const is = topic.config[key];
      if (is === undefined)
        throw usageError({
          code: 'UNKNOWN_TOPIC_SETTING',
          message: `Topic ${args.name}: Kafka has no topic setting ${key}`,
          hint: 'Correct `config` of the task',
        });
      if (is !== should) diff.push({ field: key, is, should });
    }
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: diff.map(({ field, is, should }) => `${field} ${is} instead of ${should}`).join(', '), diff };
  },

  async apply(args, observation, context) {
    const { withKafka } = await import('../clients/kafka.js');
    return withKafka(
      kafkaBootstrap(context),
      async (kafka) => {
        if (observation.state === 'missing') {
          await kafka.createTopic({ name: args.name, partitions: args.partitions, config: textsOf(args.config) });
          return `topic ${args.name} was missing; created`;
        }
        const partitions = observation.diff.find(({ field }) => field === 'partitions');
        if (partitions !== undefined) {
          if (Number(partitions.is) > args.partitions)
            throw usageError({
              code: 'TOPIC_SHRINK',
              message: `Topic ${args.name} has ${partitions.is} partitions and should have ${args.partitions}, but Kafka cannot take partitions away`,
              hint: `Set topic.partitions to ${partitions.is}, or delete the topic (and its events) and run \`forge up\``,
            });
          await kafka.addPartitions(args.name, args.partitions);
        }
        const settings = observation.diff.filter(({ field }) => field !== 'partitions');
        if (settings.length > 0)
          await kafka.setTopicConfig(args.name, Object.fromEntries(settings.map(({ field, should }) => [field, should])));
        return `topic ${args.name} had ${observation.message}; altered`;
      },
      { signal: context.signal },
    );
  },

  async remove(args, context) {
    const { withKafka } = await import('../clients/kafka.js');
    await withKafka(kafkaBootstrap(context), (kafka) => kafka.deleteTopic(args.name), { signal: context.signal });
  },
});
