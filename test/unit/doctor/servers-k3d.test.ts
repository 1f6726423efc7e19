import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { StackPlace } from '../../../src/doctor/check.js';
import { clusterReachable } from '../../../src/doctor/checks/servers/cluster-reachable.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import { prepareWorkspace } from '../../../src/workspace/workspace.js';
import { placeOf } from '../../helpers/doctor-place.js';
import { startExpiredApi } from '../../helpers/expired-api.js';
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

function nodeIs(status: string, apiPort = 1): void {
  const own = { 'forge.workspace': place.stack.workspace.id };
  const labels = { app: 'k3d', 'k3d.cluster': name, 'k3d.role': 'server', ...own };
  const ports = { 6443: [{ HostIp: '127.0.0.1', HostPort: String(apiPort) }] };
  fakes.docker({
    ...containers({ name: `k3d-${name}-server-0`, labels, status, ports }),
    ...networks({ name: `k3d-${name}`, labels: own }),
  });
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

it('one whose certificate has expired is told with what renews it: `forge up` would wait in vain', async () => {
  const api = await startExpiredApi();
  nodeIs('running', api.port);
  const data = (pem: string): string => Buffer.from(pem).toString('base64');
  const context = `k3d-${name}`;
  await prepareWorkspace(place.workspace);
  writeFileSync(
    path.join(place.workspace.forgeDir, 'kubeconfig'),
    stringify({
      'current-context': context,
      contexts: [{ name: context, context: { cluster: context, user: 'admin' } }],
      clusters: [{ name: context, cluster: { server: api.url, 'certificate-authority-data': data(api.cert) } }],
      users: [{ name: 'admin', user: { 'client-certificate-data': data(api.cert), 'client-key-data': data(api.key) } }],
    }),
    { mode: 0o600 },
  );
  const [trouble] = await clusterReachable.look(place);
  api.stop();
  expect(trouble).toMatchObject({
    title: `The cluster ${name} runs and cannot be used`,
    cause: expect.stringContaining('certificate has expired') as string,
    remedy: expect.stringMatching(`docker restart k3d-${name}-server-0.*forgets all its objects`) as string,
  });
  expect(trouble?.fix).toBeUndefined();
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
