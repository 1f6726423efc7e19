import { stopProcess } from '../../../runtimes/process/stop.js';
import { isOnKubernetes, type StackContext } from '../../../workspace/context.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { kafkaFacts, type KafkaFacts } from './facts.js';

/** Where Kafka sends its clients: on this machine, and those inside. Clients are sent there after their first question. */
export const kafkaAdvertised: Check = {
  id: 'kafka-advertised',
  group: 'kafka',
  title: 'Kafka sends its clients to addresses that they reach',
  needs: ['kafka-answers'],
  async look(place) {
    const wrong = advertisedWrong(place.stack, await kafkaFacts(place));
    return wrong === undefined ? [] : [trouble(place, wrong)];
  },
};

function trouble({ stack }: StackPlace, cause: string): Trouble {
  const base = { component: 'kafka', title: 'Kafka sends its clients to a wrong address', cause };
  if (isOnKubernetes(stack))
    return { ...base, remedy: '`forge up` writes its configuration again; then `kubectl -n kafka delete pod kafka-0` lets it be read' };
  const run = async (signal: AbortSignal): Promise<void> => void (await stopProcess(stack.workspace, 'kafka', signal));
  const fix = { does: 'restarts kafka with the configuration that forge writes', run, up: true };
  return { ...base, remedy: '`forge doctor --fix` restarts it with the configuration that forge writes', fix };
}

/** What of the advertised addresses differs from the stack's own. */
export function advertisedWrong(
  { endpoints }: Pick<StackContext, 'endpoints'>,
  { address, advertised, listeners }: KafkaFacts,
): string | undefined {
  const should = 'advertised.listeners in its configuration is not what forge writes';
  if ('unreachable' in advertised) return `${advertised.unreachable}: ${should}`;
  const told = `${advertised.host}:${advertised.port}`;
  if (told !== address) return `It answers on ${address}, and tells its clients to go to ${told}: ${should}`;
  const inside = endpoints['kafka']?.inside;
  const [, insideNow] = /(?:^|,)INSIDE:\/\/([^,]+)/.exec(listeners ?? '') ?? [];
  if (inside === undefined || insideNow === undefined || insideNow === `${inside.host}:${inside.port}`) return undefined;
  return `It tells the other servers to go to ${insideNow}, and they reach it at ${inside.host}:${inside.port}: ${should}`;
}
