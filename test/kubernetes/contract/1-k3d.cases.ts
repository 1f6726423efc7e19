import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { k3dCluster } from '../../../src/modules/k3d-cluster.js';
import { k3dImage } from '../../../src/modules/k3d-image.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import type { ContractCase } from '../../integration/contract/types.js';
import { command } from '../../helpers/k3d-world-docker.js';
import type { TestWorld } from '../../helpers/world.js';

const kubeconfig = ({ stack }: TestWorld): string => join(stack.workspace.forgeDir, 'kubeconfig');

export const cases: ContractCase[] = [
  {
    module: k3dCluster,
    title: 'the cluster',
    args: () => ({}),
    drift: [
      { what: 'its kubeconfig is gone', make: (world) => rm(kubeconfig(world)) },
      { what: 'its kubeconfig can be read by others', make: (world) => chmod(kubeconfig(world), 0o644) },
      { what: 'it is stopped', make: async ({ stack }) => void (await command('k3d', 'cluster', 'stop', clusterName(stack))) },
    ],
    noUnreachable: 'Docker that does not answer is in test/unit/k3d, with programs in the place of Docker and k3d',
    noRemove: 'down deletes the cluster as a whole: k3d-cluster.test.ts',
  },
  {
    module: k3dImage,
    title: 'an image in the node',
    args: () => ({ image: 'postgresql' }),
    noDrift: 'it is there or it is not',
    noUnreachable: 'Docker that does not answer is in test/unit/k3d, with programs in the place of Docker and k3d',
    noRemove: 'it goes with the cluster',
  },
];
