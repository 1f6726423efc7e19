import path from 'node:path';
import type { StateStore } from '../../engines/flink/checkpoints.js';
import { localStateFiles } from '../../engines/flink/state-files.js';
import { isOnKubernetes, type StackContext } from '../../workspace/context.js';
import { dataDir } from '../component.js';

/** Where a job keeps its checkpoints and savepoints: in .forge/data, or on the volume that Flink's pods share. */
export async function jobState(stack: StackContext, job: string, signal: AbortSignal): Promise<StateStore> {
  if (!isOnKubernetes(stack)) return { root: path.join(dataDir(stack, 'flink'), 'jobs', job), files: localStateFiles };
  const [{ podStateFiles }, { connectKubernetes }, { kubeTarget }] = await Promise.all([
    import('../../engines/flink/pod-files.js'),
    import('../../clients/kubernetes.js'),
    import('../../runtimes/kubernetes/target.js'),
  ]);
  const files = podStateFiles({
    client: await connectKubernetes(kubeTarget(stack)),
    namespace: 'flink',
    labels: 'app.kubernetes.io/name=flink-jobmanager',
    container: 'jobmanager',
    signal,
  });
  return { root: `/flink-data/jobs/${job}`, files };
}
