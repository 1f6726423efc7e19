import { request } from '../../clients/http.js';
import type { Probe } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import { recordedProcess } from '../../runtimes/process/state.js';
import { portOf } from '../component.js';
import { TASKMANAGER } from './config.js';

/** What Flink's REST API says; nothing while the dispatcher is being elected (503). */
async function ask<Answer extends object>(context: StackContext, path: string, signal: AbortSignal): Promise<Partial<Answer>> {
  const answer = await request(`http://127.0.0.1:${portOf(context, 'flink')}${path}`, { signal, timeoutMs: 2500 });
  return answer.ok ? answer.json<Answer>() : {};
}

export function jobmanagerProbe(context: StackContext): Probe {
  return {
    description: `Flink's JobManager answers on 127.0.0.1:${portOf(context, 'flink')}`,
    check: async (signal) => typeof (await ask<{ 'flink-version': string }>(context, '/overview', signal))['flink-version'] === 'string',
  };
}

/** A TaskManager as `/taskmanagers` tells of it. */
interface Registration {
  /** Milliseconds since the epoch, whatever its name says; 0 before the first. */
  timeSinceLastHeartbeat: number;
}

/**
 * The JobManager counts a TaskManager that was killed until it misses it, or another one registers: one that was heard of
 * last before this one was started does not count.
 */
export function taskmanagerProbe(context: StackContext): Probe {
  return {
    description: `Flink's JobManager on 127.0.0.1:${portOf(context, 'flink')} has a TaskManager`,
    async check(signal) {
      const { taskmanagers = [] } = await ask<{ taskmanagers: Registration[] }>(context, '/taskmanagers', signal);
      const { record } = (await recordedProcess(context.workspace, TASKMANAGER)) ?? {};
      const since = record === undefined ? 0 : Date.parse(record.startedAt);
      return taskmanagers.some(({ timeSinceLastHeartbeat: heard }) => heard <= 0 || heard >= since);
    },
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
