import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../k3d-world-docker.js';
import type { K3dWorld } from '../k3d-world.js';
import type { Fault } from './fault.js';

/** What goes wrong on a k3d cluster. */
export function podFaults(world: () => K3dWorld): readonly Fault[] {
  const kubectl = (...args: string[]): Promise<string[]> => command('docker', 'exec', world().node, 'kubectl', ...args);
  const patch = (kind: string, namespace: string, name: string, value: object): Promise<string[]> =>
    kubectl('-n', namespace, 'patch', kind, name, '--type', 'strategic', '-p', JSON.stringify(value));
  const container = (name: string, change: object) => ({ spec: { template: { spec: { containers: [{ name, ...change }] } } } });
  const postgres = async (): Promise<string> =>
    (await kubectl('-n', 'postgresql', 'get', 'statefulset', 'postgresql', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'))[0]!;
  const none = async (...work: Promise<unknown>[]): Promise<undefined> => {
    await Promise.all(work);
    return undefined;
  };
  return [
    {
      name: 'a StatefulSet is scaled to 0',
      inject: () => none(kubectl('-n', 'kafka', 'scale', 'statefulset', 'kafka', '--replicas=0')),
      finding: { id: 'server-down', component: 'kafka', cause: /StatefulSet kafka\/kafka is scaled to 0/ },
      mend: 'fix',
    },
    {
      // It wants a password and has none.
      name: 'a pod that ends as soon as it starts',
      inject: async () => none(patch('deployment', 'iceberg-rest', 'iceberg-rest', container('iceberg-rest', { image: await postgres() }))),
      finding: { id: 'pod-failed', component: 'iceberg-rest', cause: /superuser password is not specified/ },
      mend: 'fix',
    },
    {
      name: 'the kubeconfig of the cluster is gone',
      inject: async (box) => {
        await rm(join(box.root, '.forge', 'kubeconfig'));
        return undefined;
      },
      finding: { id: 'cluster-reachable', cause: /kubeconfig/ },
      mend: 'fix',
    },
  ];
}
