import type { StackContext } from '../workspace/context.js';
import { runtimeOf } from './runtime.js';
import { openSession, requireUp, type SessionOptions } from './session.js';

export interface EventsTargetOptions extends SessionOptions {
  bootstrapServers?: string | undefined;
  topic?: string | undefined;
  /** Which of the two a variable of the shell says, and no flag. */
  variables: { bootstrapServers: boolean; topic: boolean };
  signal: AbortSignal;
  note: (text: string) => void;
}

export interface EventsTarget {
  bootstrapServers: string;
  topic: string;
  /** Runs what sends while the broker can be reached. */
  reach: <T>(use: () => Promise<T>) => Promise<T>;
}

/**
 * Where events go: to the broker that was named, else to the workspace's. `forge env` exports the address of a stack, so a
 * variable that names the workspace's own broker is the workspace, and one that leads elsewhere is said.
 * @throws ForgeError NOT_UP (exit 4) when no broker is named and no stack was brought up
 */
export async function eventsTarget(options: EventsTargetOptions): Promise<EventsTarget> {
  const { bootstrapServers, topic = 'balloon-game', variables, note } = options;
  if (bootstrapServers === undefined) return ofStack(await requireStack(options), options);
  const elsewhere: EventsTarget = { bootstrapServers, topic, reach: (use) => use() };
  if (!variables.bootstrapServers) return elsewhere;
  // Whatever is wrong with a workspace here, the variable names a broker that needs none.
  const own = await openSession(options).catch(() => undefined);
  if (own?.isKnown && same(own.stack.endpoints['kafka']!.url, bootstrapServers)) return ofStack(own.stack, options);
  note(`Sending to ${bootstrapServers}, topic ${topic}: the variable KAFKA_BOOTSTRAP_SERVERS names this broker`);
  return elsewhere;
}

async function ofStack(stack: StackContext, { topic, variables, signal, note }: EventsTargetOptions): Promise<EventsTarget> {
  const runtime = await runtimeOf(stack.runtime);
  const own = stack.config.topic.name;
  if (variables.topic && topic !== undefined && topic !== own)
    note(`Sending to the topic ${topic}: the variable KAFKA_TOPIC names it, and the stack's is ${own}`);
  return {
    bootstrapServers: stack.endpoints['kafka']!.url,
    topic: topic ?? own,
    reach: (use) => runtime.withAccess(stack, signal, use),
  };
}

async function requireStack(options: SessionOptions): Promise<StackContext> {
  const session = await openSession(options);
  requireUp(session, 'Start it with `forge up`, or name a broker with --bootstrap-servers');
  return session.stack;
}

const plain = (server: string): string => server.replace(/^localhost:/, '127.0.0.1:');
const same = (one: string, other: string): boolean => plain(one) === plain(other);
