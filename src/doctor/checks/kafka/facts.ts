import { withKafka } from '../../../clients/kafka.js';
import { ForgeError } from '../../../errors.js';
import type { StackPlace } from '../../check.js';

export interface KafkaFacts {
  /** host:port at which this machine reaches it. */
  address: string;
  /** Where the broker tells its clients on this machine to go; or, where nobody is there, what came of it. */
  advertised: { host: string; port: number } | { unreachable: string };
  /** `advertised.listeners`, as the broker runs with it; undefined when it does not tell, or cannot be asked where it says. */
  listeners: string | undefined;
}

const ANSWER_MS = 3_000;

/** What the broker tells of itself. */
export const kafkaFacts = (place: StackPlace): Promise<KafkaFacts> =>
  place.share('kafka', async (signal) => {
    const endpoint = place.stack.endpoints['kafka'];
    if (endpoint === undefined) throw new Error('the stack has no Kafka');
    const address = `${endpoint.host}:${endpoint.port}`;
    try {
      return await withKafka(
        address,
        async (kafka) => {
          const [broker] = await kafka.brokers();
          if (broker === undefined) throw new Error(`Kafka on ${address} knows no broker yet`);
          const { node, host, port } = broker;
          const isHere = `${host}:${port}` === address;
          return {
            address,
            advertised: { host, port },
            listeners: isHere ? await kafka.brokerSetting(node, 'advertised.listeners') : undefined,
          };
        },
        { signal, requestTimeoutMs: ANSWER_MS },
      );
    } catch (error) {
      // Clients follow what the broker tells them, this one too.
      if (!(error instanceof ForgeError) || error.code !== 'ADVERTISED_UNREACHABLE') throw error;
      return { address, advertised: { unreachable: error.message }, listeners: undefined };
    }
  });
