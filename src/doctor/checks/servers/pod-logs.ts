import { connectKubernetes } from '../../../clients/kubernetes.js';
import { componentsOf } from '../../../components/index.js';
import { sourcesOf, storedLines } from '../../../runtimes/kubernetes/logs.js';
import { kubeTarget } from '../../../runtimes/kubernetes/target.js';
import type { StackPlace } from '../../check.js';
import { ownPods } from './own-pods.js';
import type { ServerLog } from './server-log.js';

const LINES = 500;

/** The newest lines of every pod that runs. */
export async function logsOfPods(place: StackPlace, minutes: number): Promise<ServerLog[]> {
  const { stack, signal } = place;
  const client = await connectKubernetes(kubeTarget(stack));
  const since = Date.now() - minutes * 60_000;
  const pods = await ownPods(place);
  const all = componentsOf(stack).flatMap(({ name: component, kubernetes }) =>
    pods
      .filter(({ metadata }) => metadata.namespace === kubernetes.namespace)
      .flatMap((pod) => {
        const started = Math.max(
          0,
          ...(pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.running?.startedAt ?? '') || 0),
        );
        return started === 0 ? [] : sourcesOf(pod).map((source) => ({ component, source: { ...source, restarted: false }, started }));
      }),
  );
  return Promise.all(
    all.map(async ({ component, source, started }) => {
      const lines = await storedLines(client, source, { since: new Date(since), lines: LINES, signal });
      return { component, name: source.name, since: started, lines };
    }),
  );
}
