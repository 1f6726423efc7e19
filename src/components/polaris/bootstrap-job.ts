import { connectKubernetes, refOf } from '../../clients/kubernetes.js';
import { applyManifest } from '../../runtimes/kubernetes/apply.js';
import { workspaceSelector } from '../../runtimes/kubernetes/labels.js';
import { conditionOf, type Workload } from '../../runtimes/kubernetes/pod-types.js';
import { deleteObjects } from '../../runtimes/kubernetes/remove.js';
import { renderManifest } from '../../runtimes/kubernetes/render.js';
import { kubeTarget } from '../../runtimes/kubernetes/target.js';
import { awaitReady } from '../../runtimes/kubernetes/wait.js';
import type { StackContext } from '../../workspace/context.js';
import { manifestValues } from '../pods.js';

const MANIFEST = 'polaris/bootstrap.yaml';
const JOB = { apiVersion: 'batch/v1', kind: 'Job', name: 'polaris-bootstrap', namespace: 'polaris' } as const;

/**
 * Makes the realm by a Job with Polaris' admin tool. One that is on its way is waited for. One that is complete belongs to a
 * realm that is gone: whether the Job has to run is told by the database, not by the Job.
 */
export async function bootstrapInCluster(stack: StackContext, signal: AbortSignal, progress: (text: string) => void): Promise<void> {
  const client = await connectKubernetes(kubeTarget(stack));
  const before = await client.get<Workload>(JOB, { signal });
  if (conditionOf(before?.status?.conditions, 'Complete')?.status === 'True') await deleteObjects(client, [before!], { signal });
  const manifest = await renderManifest(stack, MANIFEST, await manifestValues(stack));
  await applyManifest(manifest, { client, workspace: stack.workspace, signal, progress });
  const { images, workspace } = stack;
  await awaitReady(client, { ...JOB, readySeconds: 300, pullSeconds: 1800, images, workspace: workspace.id, signal, progress });
}

/** Starts the server's pods anew: it keeps in memory what it has read of its realm. */
export async function restartInCluster(stack: StackContext, signal: AbortSignal): Promise<void> {
  const client = await connectKubernetes(kubeTarget(stack));
  const labels = `app.kubernetes.io/name=polaris,${workspaceSelector(stack.workspace.id)}`;
  const { items } = await client.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'polaris', labels }, { signal });
  for (const pod of items) await client.delete(refOf(pod), { uid: pod.metadata.uid, signal });
}
