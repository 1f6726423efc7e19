import { Agent, request, type RequestOptions } from 'node:https';
import { z } from 'zod';
import { messageOf } from '../../errors.js';
import type { ApiAccess } from './kubeconfig.js';

// Not the Kubernetes client: that takes a second to load, and this is asked on every run.

const time = z.coerce.date();
const nodeSchema = z.object({
  spec: z.object({ unschedulable: z.boolean().optional() }).optional(),
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() }).optional(),
});
const leaseSchema = z.object({ spec: z.object({ renewTime: time.nullish() }).optional() });
const running = z.object({ startedAt: time }).nullish();
const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      status: z.object({ containerStatuses: z.array(z.object({ state: z.object({ running }).optional() })).nullish() }).optional(),
    }),
  ),
});

const ANSWER_MS = 5000;

/**
 * Why the cluster cannot be used yet; undefined when its API answers, its node is ready, and nothing that
 * the API tells is from before the node was started (`since`): for a while it would call pods ready that ran before.
 * The certificates make sure that it is this cluster that answers, whoever has the port.
 */
export async function whyNotReady(access: ApiAccess, node: string, since: Date, signal: AbortSignal): Promise<string | undefined> {
  // A handshake costs more than these three requests.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const get = getter(access, agent, signal);
    const [{ spec, status }, lease, pods] = await Promise.all([
      get(`/api/v1/nodes/${node}`, nodeSchema),
      get(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`, leaseSchema),
      get(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`, podsSchema),
    ]);
    if (!(status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True')) return 'its node is not ready yet';
    // k3d drains a node that is stopped, and lets pods in again a while after its start.
    if (spec?.unschedulable === true) return 'its node takes no pods yet (it is cordoned)';
    if ((lease.spec?.renewTime ?? 0) <= since) return 'its node has not reported since it was started';
    // Pods tell whole seconds.
    const isStale = (started: Date | undefined): boolean => started !== undefined && started.getTime() + 1000 < since.getTime();
    const stale = pods.items.find((pod) => (pod.status?.containerStatuses ?? []).some(({ state }) => isStale(state?.running?.startedAt)));
    return stale === undefined ? undefined : `pod ${stale.metadata.namespace}/${stale.metadata.name} has not been started again yet`;
  } catch (error) {
    signal.throwIfAborted();
    return `its API does not answer yet (${error instanceof z.ZodError ? 'what it says is not understood' : messageOf(error)})`;
  } finally {
    agent.destroy();
  }
}

type Get = <T>(path: string, schema: z.ZodType<T>) => Promise<T>;

function getter({ server, ...credentials }: ApiAccess, agent: Agent, signal: AbortSignal): Get {
  const options = { ...credentials, agent, signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) };
  return async (path, schema) => {
    const { status, text } = await fetchText(new URL(path, server), options);
    if (status !== 200) throw new Error(`status ${status}`);
    return schema.parse(JSON.parse(text));
  };
}

function fetchText(url: URL, options: RequestOptions): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text })).once('error', reject);
    });
    asked.once('error', reject).end();
  });
}
