import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { kubeApi, type KubeApi } from './kwok-api.js';
import { apiServer } from './kwok-server.js';

export { freeRow } from './kwok-server.js';

/** A real API server with a node that only says that pods run. */
export interface FakeCluster {
  kubeconfig: string;
  context: string;
  api: KubeApi;
  /** Makes room for another one. */
  pause(): Promise<void>;
  /** After `pause`, with what it held. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one in a folder; its context gets this name. */
export async function startFakeCluster(folder: string, context: string): Promise<FakeCluster> {
  const kubeconfig = join(folder, 'kubeconfig');
  const { file, ...server } = await apiServer(folder);
  try {
    await writeFile(kubeconfig, renamed(await readFile(file, 'utf8'), context), { mode: 0o600 });
    const api = kubeApi(kubeconfig);
    await giveStorage(api);
    return { kubeconfig, context, api, ...server };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The same kubeconfig with another name for its only context. */
function renamed(kubeconfig: string, context: string): string {
  const config = parse(kubeconfig) as { contexts: { name: string }[]; 'current-context': string };
  config.contexts[0]!.name = context;
  config['current-context'] = context;
  return stringify(config);
}

/** A cluster has storage of its own; this one gets volumes that nothing is ever written to. */
async function giveStorage(api: KubeApi): Promise<void> {
  await api.create('/apis/storage.k8s.io/v1/storageclasses', {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'fake', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  for (const at of [1, 2, 3, 4, 5, 6])
    await api.create('/api/v1/persistentvolumes', {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `fake-${at}` },
      spec: {
        storageClassName: 'fake',
        capacity: { storage: '100Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: `/nowhere/${at}` },
      },
    });
}
