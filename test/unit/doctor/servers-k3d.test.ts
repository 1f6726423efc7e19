import { beforeEach, expect, it } from 'vitest';
import type { StackPlace } from '../../../src/doctor/check.js';
import { clusterReachable } from '../../../src/doctor/checks/servers/cluster-reachable.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import { placeOf } from '../../helpers/doctor-place.js';
import { clusters, containers, fakePrograms, networks, stackAt } from '../k3d/fakes.js';
import { scratch } from '../../helpers/folders.js';

const fakes = fakePrograms();
let place: StackPlace;
let name: string;
beforeEach(async () => {
  const { stack } = await stackAt(scratch());
  place = placeOf({ stack });
  name = clusterName(stack);
});

function nodeIs(status: string): void {
  const own = { 'forge.workspace': place.stack.workspace.id };
  const labels = { app: 'k3d', 'k3d.cluster': name, 'k3d.role': 'server', ...own };
  fakes.docker({ ...containers({ name: `k3d-${name}-server-0`, labels, status }), ...networks({ name: `k3d-${name}`, labels: own }) });
  fakes.k3d({ 'cluster list': clusters(name) });
}

const told = async (): Promise<unknown> => {
  const [trouble] = await clusterReachable.look(place);
  return [trouble?.title, trouble?.cause, trouble?.fix?.up];
};

it('a cluster that is not there, half made or stopped is told, and `forge up` mends it', async () => {
  expect(await told()).toEqual([`There is no cluster ${name}`, expect.stringContaining('deleted'), true]);
  nodeIs('created');
  expect(await told()).toEqual([`The cluster ${name} is half made`, expect.stringContaining('killed while making it'), true]);
  nodeIs('exited');
  expect(await told()).toEqual([`The cluster ${name} is stopped`, `its node k3d-${name}-server-0 is exited in Docker`, true]);
});

it('one that runs and whose kubeconfig is gone is told', async () => {
  nodeIs('running');
  expect(await told()).toEqual([`The kubeconfig in .forge does not lead to ${name}`, 'kubeconfig: missing', true]);
});

it('Docker that does not answer tells nothing of the cluster, and has a check of its own', async () => {
  fakes.docker({
    'container inspect': { err: 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?', code: 1 },
  });
  await expect(clusterReachable.look(place)).rejects.toMatchObject({
    id: 'docker-answers',
    message: expect.stringMatching(/Docker/) as string,
  });
});
