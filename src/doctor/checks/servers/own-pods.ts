import { connectKubernetes } from '../../../clients/kubernetes.js';
import { componentsOf } from '../../../components/index.js';
import { isOwn } from '../../../runtimes/kubernetes/labels.js';
import type { Pod } from '../../../runtimes/kubernetes/pod-types.js';
import { kubeTarget } from '../../../runtimes/kubernetes/target.js';
import type { StackPlace } from '../../check.js';

/** The pods of this workspace's servers, listed once for all checks; those that are ending do not count, nor those of Jobs. */
export const ownPods = (place: StackPlace): Promise<Pod[]> =>
  place.share('own pods', async (signal) => {
    const client = await connectKubernetes(kubeTarget(place.stack));
    const namespaces = [...new Set(componentsOf(place.stack).map(({ kubernetes }) => kubernetes.namespace))];
    const lists = await Promise.all(
      namespaces.map((namespace) => client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace }, { signal })),
    );
    return lists
      .flatMap(({ items }) => items)
      .filter(
        (pod) =>
          isOwn(pod, place.stack.workspace.id) &&
          pod.metadata.deletionTimestamp === undefined &&
          pod.metadata.labels?.['batch.kubernetes.io/job-name'] === undefined,
      );
  });
