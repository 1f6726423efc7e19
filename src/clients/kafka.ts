import type { Admin } from 'kafkajs';
import { ForgeError, serverError } from '../errors.js';
import { connectOrExplain, innermost, kafkaError, kafkaErrorType, openKafka, type KafkaLink, type KafkaOptions } from './kafka-link.js';
import { SharedConnections, type Opening } from './shared.js';
import { waitUntil } from './wait.js';

export interface TopicDescription {
  name: string;
  partitions: number;
  /** Every setting in force. */
  config: Record<string, string>;
  /** Only those that were set for this topic. */
  overrides: Record<string, string>;
}

export interface PartitionOffsets {
  partition: number;
  /** First offset that is still there. */
  low: bigint;
  /** Offset that the next record will get. */
  high: bigint;
}

/** What forge asks of a broker. */
export interface KafkaAdmin {
  /** Where the broker tells its clients to go; asked over the first connection, which follows nothing of it. */
  brokers(): Promise<{ node: number; host: string; port: number }[]>;
  /** A setting of a broker as it runs; undefined when it does not tell. The broker has to be reachable where it says. */
  brokerSetting(node: number, name: string): Promise<string | undefined>;
  topics(): Promise<string[]>;
  /** Undefined when there is no such topic. */
  describeTopic(name: string): Promise<TopicDescription | undefined>;
  /** Resolves when every partition has a leader. False when the topic was there already. */
  createTopic(topic: { name: string; partitions: number; config?: Record<string, string> }): Promise<boolean>;
  /** Resolves when the topic is gone. False when there was none. */
  deleteTopic(name: string): Promise<boolean>;
  addPartitions(name: string, total: number): Promise<void>;
  /** Sets these and keeps the topic's other settings. */
  setTopicConfig(name: string, config: Record<string, string>): Promise<void>;
  /** By partition; throws ForgeError TOPIC_MISSING. */
  offsets(name: string): Promise<PartitionOffsets[]>;
  /** By partition, the offset of the first record of this time or later; the end where there is none. */
  offsetsAt(name: string, time: Date): Promise<Map<number, bigint>>;
  /** Records that the topic holds. */
  count(name: string): Promise<number>;
  deleteGroup(groupId: string): Promise<void>;
}

/** A broker says these for a moment after a topic was made or a leader changed. */
const TRANSIENT = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'REPLICA_NOT_AVAILABLE', 'NOT_CONTROLLER']);
const TRANSIENT_MS = 10_000;
/** kafkajs trips over metadata that it has just thrown away (a TypeError) in the same moments. */
const isTransient = (error: unknown) => TRANSIENT.has(kafkaErrorType(error) ?? '') || innermost(error).name === 'TypeError';

const DYNAMIC_TOPIC_CONFIG = 1;

async function adminOf(admin: Admin, link: KafkaLink, bootstrap: string, signal: AbortSignal | undefined): Promise<KafkaAdmin> {
  const { TOPIC: topicType, BROKER: brokerType } = (await import('kafkajs')).default.ConfigResourceTypes;
  const ask = async <T>(doing: string, step: () => Promise<T>): Promise<T> => {
    let last: unknown;
    const once = async () => {
      try {
        return { value: await link.run(doing, step) };
      } catch (error) {
        if (!isTransient(error)) throw error;
        last = error;
        return undefined;
      }
    };
    try {
      return (await waitUntil(once, { signal, what: doing, timeoutMs: TRANSIENT_MS })).value;
    } catch (error) {
      signal?.throwIfAborted();
      const cause = error instanceof ForgeError && error.code === 'TIMED_OUT' ? last : error;
      throw cause instanceof Error && cause.name.startsWith('KafkaJS') && !kafkaErrorType(cause)?.startsWith('UNKNOWN_TOPIC')
        ? kafkaError(cause, bootstrap, doing)
        : cause;
    }
  };
  const partitionsOf = async (name: string) => {
    try {
      const { topics } = await ask(`reading topic ${name}`, () => admin.fetchTopicMetadata({ topics: [name] }));
      return topics[0]?.partitions;
    } catch (error) {
      const type = kafkaErrorType(error);
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
      throw error;
    }
  };
  const waitForPartitions = (name: string, total: number) =>
    waitUntil(
      async () => {
        const partitions = await partitionsOf(name);
        return partitions !== undefined && partitions.length >= total && partitions.every((p) => p.leader >= 0);
      },
      { signal, what: `leaders of topic ${name}`, timeoutMs: 30_000 },
    );
  const settings = async (name: string) => {
    const { resources } = await ask(`reading the settings of topic ${name}`, () =>
      admin.describeConfigs({ resources: [{ type: topicType, name }], includeSynonyms: false }),
    );
    return resources[0]?.configEntries ?? [];
  };
  // kafkajs gives `configSource` to brokers of today and `isDefault` to those of yesterday.
  const isOverride = (entry: { configSource?: number; isDefault: boolean }) =>
    entry.configSource === undefined ? !entry.isDefault : entry.configSource === DYNAMIC_TOPIC_CONFIG;

  const api: KafkaAdmin = {
    async brokers() {
      const { brokers } = await ask('listing brokers', () => admin.describeCluster());
      return brokers.map(({ nodeId, host, port }) => ({ node: nodeId, host, port }));
    },
    async brokerSetting(node, name) {
      const resource = { type: brokerType, name: String(node), configNames: [name] };
      const { resources } = await ask(`reading the settings of broker ${node}`, () =>
        admin.describeConfigs({ resources: [resource], includeSynonyms: false }),
      );
      return resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue;
    },
    topics: async () => (await ask('listing topics', () => admin.listTopics())).sort(),
    async describeTopic(name) {
      const partitions = await partitionsOf(name);
      if (partitions === undefined) return undefined;
      const entries = await settings(name);
      const pairs = (of: typeof entries) => Object.fromEntries(of.map((entry) => [entry.configName, entry.configValue]));
      return { name, partitions: partitions.length, config: pairs(entries), overrides: pairs(entries.filter(isOverride)) };
    },
    async createTopic({ name, partitions, config = {} }) {
      const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
      const created = await ask(`creating topic ${name}`, () =>
        admin.createTopics({
          waitForLeaders: false,
          topics: [{ topic: name, numPartitions: partitions, replicationFactor: -1, configEntries }],
        }),
      );
      await waitForPartitions(name, created ? partitions : 1);
      return created;
    },
    async deleteTopic(name) {
      try {
        await ask(`deleting topic ${name}`, () => admin.deleteTopics({ topics: [name] }));
      } catch (error) {
        if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return false;
        throw error;
      }
      await waitUntil(async () => (await partitionsOf(name)) === undefined, { signal, what: `topic ${name} to go`, timeoutMs: 30_000 });
      return true;
    },
    async addPartitions(name, total) {
      await ask(`adding partitions to topic ${name}`, () => admin.createPartitions({ topicPartitions: [{ topic: name, count: total }] }));
      await waitForPartitions(name, total);
    },
    async setTopicConfig(name, config) {
      // The request replaces all of a topic's settings, so the others have to go along.
      const kept = Object.fromEntries((await settings(name)).filter(isOverride).map((entry) => [entry.configName, entry.configValue]));
      const configEntries = Object.entries({ ...kept, ...config }).map(([key, value]) => ({ name: key, value }));
      await ask(`changing the settings of topic ${name}`, () =>
        admin.alterConfigs({ validateOnly: false, resources: [{ type: topicType, name, configEntries }] }),
      );
      await waitUntil(
        async () => {
          const now = (await api.describeTopic(name))?.config ?? {};
          return Object.entries(config).every(([key, value]) => now[key] === value);
        },
        { signal, what: `the settings of topic ${name}`, timeoutMs: 10_000 },
      );
    },
    async offsets(name) {
      const missing = () =>
        serverError({ code: 'TOPIC_MISSING', message: `Kafka on ${bootstrap} has no topic ${name}`, hint: 'Create it with `forge up`' });
      if ((await partitionsOf(name)) === undefined) throw missing();
      const found = await ask(`reading the offsets of topic ${name}`, () => admin.fetchTopicOffsets(name)).catch((error: unknown) => {
        throw kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION' ? missing() : error;
      });
      return found
        .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
        .sort((a, b) => a.partition - b.partition);
    },
    async offsetsAt(name, time) {
      const found = await ask(`reading the offsets of topic ${name}`, () => admin.fetchTopicOffsetsByTimestamp(name, time.getTime()));
      return new Map(found.map(({ partition, offset }) => [partition, BigInt(offset)]));
    },
    count: async (name) => Number((await api.offsets(name)).reduce((sum, { low, high }) => sum + high - low, 0n)),
    async deleteGroup(groupId) {
      await ask(`deleting consumer group ${groupId}`, () => admin.deleteGroups([groupId]));
    },
  };
  return api;
}

interface Connected {
  admin: Admin;
  link: KafkaLink;
}

const shared = new SharedConnections<Connected>();

function connecting(bootstrap: string, options: Omit<KafkaOptions, 'signal'>): Opening<Connected> {
  const opening = openKafka(bootstrap, options).then((link) => ({ link, admin: link.kafka.admin() }));
  return {
    opened: opening.then(async ({ link, admin }) => {
      await connectOrExplain(link, bootstrap, () => admin.connect());
      return { link, admin };
    }),
    close: async () => {
      const { link, admin } = await opening;
      await link.close(() => admin.disconnect());
    },
    cut: () =>
      void opening.then(
        ({ link }) => link.cut(),
        () => undefined,
      ),
  };
}

/**
 * Connects to a broker, hands it to `use` and always disconnects; those who want the same at the same moment share a
 * connection. `bootstrap` is host:port, several separated by commas. An aborted signal throws its reason.
 */
export async function withKafka<T>(bootstrap: string, use: (kafka: KafkaAdmin) => Promise<T>, options: KafkaOptions = {}): Promise<T> {
  const { signal, ...lasting } = options;
  return shared.use(
    JSON.stringify([bootstrap, lasting]),
    () => connecting(bootstrap, lasting),
    async ({ admin, link }) => use(await adminOf(admin, link, bootstrap, signal)),
    signal,
  );
}
