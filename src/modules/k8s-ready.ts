import { z } from 'zod';
import { connectKubernetes, nameOf } from '../clients/kubernetes.js';
import { knownImages } from '../components/pods.js';
import { requireSameCluster } from '../runtimes/kubernetes/identity.js';
import type { Workload } from '../runtimes/kubernetes/pod-types.js';
import { API_VERSIONS, failedCondition, readinessOf } from '../runtimes/kubernetes/ready.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import { awaitReady } from '../runtimes/kubernetes/wait.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({
  kind: z.enum(['Deployment', 'StatefulSet', 'Job']),
  name: z.string().min(1),
  namespace: z.string().min(1),
  seconds: z.number().positive().default(300).describe('Until it has to be ready; the time in which images are pulled does not count'),
  pullSeconds: z.number().positive().default(1800).describe('For pulling images'),
});
type Args = z.output<typeof schema>;

/** Waits for a workload to be ready, or a Job to be complete; it makes nothing and removes nothing. */
export const k8sReady = defineModule<Args>({
  name: 'k8s.ready',
  summary: 'Waits until a Deployment or StatefulSet is ready or a Job is complete; ends at once with the reason when it will not be',
  schema,
  timeoutSeconds: 2400,

  async observe({ kind, name, namespace }, { stack, signal }) {
    const client = await connectKubernetes(kubeTarget(stack));
    const found = await client.get<Workload>({ apiVersion: API_VERSIONS[kind], kind, name, namespace }, { signal });
    if (found === undefined) return { state: 'missing', message: `${kind} ${namespace}/${name} is not there` };
    const { ready, text } = readinessOf(found);
    if (ready) return { state: 'in-sync' };
    const failed = failedCondition(found);
    const is = failed === undefined ? text : `failed (${failed.reason ?? 'no reason given'})`;
    const field = nameOf({ kind, namespace, name });
    const should = kind === 'Job' ? 'complete' : 'ready';
    return { state: 'drifted', message: `${field}: ${is}`, diff: [{ field, is, should }] };
  },

  async apply(args, _observation, context) {
    const { stack, signal, progress, waitingFor } = context;
    const name = nameOf(args);
    waitingFor(`${name} to be ${args.kind === 'Job' ? 'complete' : 'ready'}`);
    const client = await connectKubernetes(kubeTarget(stack));
    await requireSameCluster(stack.workspace, client, { keep: false, signal });
    const { seconds: readySeconds, pullSeconds, kind, namespace } = args;
    const { id: workspace } = stack.workspace;
    const images = await knownImages(stack, signal);
    await awaitReady(client, { kind, name: args.name, namespace, readySeconds, pullSeconds, workspace, images, signal, progress });
    return `${name} is ${args.kind === 'Job' ? 'complete' : 'ready'}`;
  },
});
