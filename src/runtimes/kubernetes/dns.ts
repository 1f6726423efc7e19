import { nameOf, type KubeClient, type KubeRef } from '../../clients/kubernetes.js';
import { serverError, type ForgeError } from '../../errors.js';
import { podFailure } from './failure.js';
import { SYSTEM_IMAGE_HINT } from './failure-sandbox.js';
import { conditionOf, type KubeEvent, type Pod } from './pod-types.js';
import { podDetail } from './report.js';

const NAMESPACE = 'kube-system';

/**
 * The error for a workload that waits because the cluster's DNS, by which servers find each other, does not come up; undefined
 * where it runs, is just starting, or may not be looked at.
 */
export async function dnsError(client: KubeClient, ref: KubeRef, since: number, signal: AbortSignal): Promise<ForgeError | undefined> {
  try {
    const { items: pods } = await client.list<Pod>(
      { apiVersion: 'v1', kind: 'Pod', namespace: NAMESPACE, labels: 'k8s-app=kube-dns' },
      { signal },
    );
    if (pods.some(({ status }) => conditionOf(status?.conditions, 'Ready')?.status === 'True')) return undefined;
    const { items: events } = await client.list<KubeEvent>({ apiVersion: 'v1', kind: 'Event', namespace: NAMESPACE }, { signal });
    for (const pod of pods) {
      const own = events.filter(({ involvedObject }) => involvedObject?.uid === pod.metadata.uid);
      const failure = podFailure({ pod, events: own, since });
      const isImage = /^(IMAGE|SANDBOX_IMAGE)_/.test(failure?.code ?? '');
      // What may pass by itself is nothing to give up for.
      if (failure === undefined || (failure.graceMs !== undefined && !isImage)) continue;
      return serverError({
        code: 'CLUSTER_DNS_DOWN',
        message: [
          `${nameOf(ref)} waits in vain: CoreDNS, by which servers in the cluster find each other, does not come up: pod ${NAMESPACE}/${pod.metadata.name}: ${failure.what}`,
          ...(await podDetail(client, pod, failure, events, signal)),
        ].join('\n'),
        hint: isImage ? SYSTEM_IMAGE_HINT : failure.hint,
      });
    }
  } catch {
    // Whoever may not look there cannot be told.
    signal.throwIfAborted();
  }
  return undefined;
}
