import type { ComponentState } from '../components/status.js';
import { runtimeOf } from './runtime.js';
import { openSession, type SessionOptions } from './session.js';

export interface StackStatus {
  healthy: boolean;
  components: (Omit<ComponentState, 'endpoint'> & { endpoint: { host: string; port: number; url: string } | null })[];
}

/** What really runs: every component is looked for and asked itself. */
export async function stackStatus(options: SessionOptions & { signal: AbortSignal }): Promise<StackStatus> {
  const { stack } = await openSession(options);
  const runtime = await runtimeOf(stack.runtime);
  const states = await runtime.withAccess(stack, options.signal, () => runtime.states(stack, options.signal, { memory: true }));
  const addresses = new Map(Object.values(stack.endpoints).map(({ host, port, url }) => [`${host}:${port}`, { host, port, url }]));
  const components = states.map((state) => ({ ...state, endpoint: addresses.get(state.endpoint) ?? null }));
  return { healthy: components.every(({ state }) => state === 'running'), components };
}
