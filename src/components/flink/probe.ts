import { request } from '../../clients/http.js';
import type { Probe } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import { portOf } from '../component.js';

interface Overview {
  taskmanagers?: number;
  'flink-version'?: string;
}

async function overview(context: StackContext, signal: AbortSignal): Promise<Overview> {
  const answer = await request(`http://127.0.0.1:${portOf(context, 'flink')}/overview`, { signal, timeoutMs: 2500 });
  // 503 while the dispatcher is being elected
  return answer.ok ? answer.json<Overview>() : {};
}

export function jobmanagerProbe(context: StackContext): Probe {
  return {
    description: `Flink's JobManager answers on 127.0.0.1:${portOf(context, 'flink')}`,
    check: async (signal) => typeof (await overview(context, signal))['flink-version'] === 'string',
  };
}

export function taskmanagerProbe(context: StackContext): Probe {
  return {
    description: `Flink's JobManager on 127.0.0.1:${portOf(context, 'flink')} has a TaskManager`,
    check: async (signal) => ((await overview(context, signal)).taskmanagers ?? 0) >= 1,
  };
}

export function gatewayProbe(context: StackContext): Probe {
  const address = `127.0.0.1:${portOf(context, 'flink-sql-gateway')}`;
  return {
    description: `Flink's SQL gateway answers on ${address}`,
    async check(signal) {
      const answer = await request(`http://${address}/v1/info`, { signal, timeoutMs: 2500 });
      return answer.ok && typeof answer.json<{ productName?: string }>().productName === 'string';
    },
  };
}
