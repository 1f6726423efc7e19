import type { Probe } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import { portOf } from '../component.js';

/** A metadata request, answered with the list of topics. */
export function kafkaProbe(context: StackContext): Probe {
  const bootstrap = `127.0.0.1:${portOf(context, 'kafka')}`;
  return {
    description: `Kafka answers on ${bootstrap}`,
    async check(signal) {
      const { withKafka } = await import('../../clients/kafka.js');
      return withKafka(
        bootstrap,
        async (admin) => {
          await admin.topics();
          return true;
        },
        { signal, connectTimeoutMs: 1000, requestTimeoutMs: 2500, retry: { retries: 0, initialRetryTime: 50, maxRetryTime: 100 } },
      );
    },
  };
}
