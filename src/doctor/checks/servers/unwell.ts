import { isOnKubernetes } from '../../../workspace/context.js';
import { Behind, type Check, type StackPlace, type Trouble } from '../../check.js';

/** A server that does not serve, and which check tells of it. A trouble without a component is about all of them. */
export interface Unwell {
  id: 'pod-failed' | 'server-down' | 'server-hung';
  trouble: Trouble;
}

/** Every server that does not serve: looked at once, told once, whoever asks. */
export const unwellServers = (place: StackPlace): Promise<Unwell[]> =>
  place.share('unwell servers', async (signal) => {
    const own = { ...place, signal };
    return isOnKubernetes(place.stack)
      ? (await import('./unwell-pods.js')).unwellPods(own)
      : (await import('./unwell-processes.js')).unwellProcesses(own);
  });

/** For checks that ask a server: throws, with what is wrong, where it is known that it does not serve. */
export async function requireServing(place: StackPlace, component: string): Promise<void> {
  const found = (await unwellServers(place)).find(({ trouble }) => trouble.component === undefined || trouble.component === component);
  if (found !== undefined) throw new Behind(found.id, `needs ${found.id} (${found.trouble.title})`);
}

const unwellCheck = (check: Pick<Check, 'title' | 'concerns'> & { id: Unwell['id'] }): Check => ({
  ...check,
  group: 'servers',
  seconds: 9,
  needs: ['cluster-reachable'],
  look: async (place) => (await unwellServers(place)).filter(({ id }) => id === check.id).map(({ trouble }) => trouble),
});

export const podFailed = unwellCheck({ id: 'pod-failed', title: 'No pod fails', concerns: ({ stack }) => isOnKubernetes(stack) });
export const serverDown = unwellCheck({ id: 'server-down', title: 'Every server runs' });
export const serverHung = unwellCheck({ id: 'server-hung', title: 'Every server that runs answers' });
