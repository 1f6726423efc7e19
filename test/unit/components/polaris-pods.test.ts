import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { restartInCluster } from '../../../src/components/polaris/bootstrap-job.js';
import { ownLabels } from '../../../src/runtimes/kubernetes/labels.js';
import { openStack } from '../../../src/workspace/open.js';
import { packageRoot } from '../../../src/cli/paths.js';
import { scratch } from '../../helpers/folders.js';

const stops: (() => void)[] = [];
const before = process.env['KUBECONFIG'];
afterEach(() => {
  if (before === undefined) delete process.env['KUBECONFIG'];
  else process.env['KUBECONFIG'] = before;
  for (const stop of stops.splice(0)) stop();
});

it("in a namespace that others use too, only the workspace's own pods of Polaris are started anew", async () => {
  const root = scratch();
  writeFileSync(path.join(root, 'forge.yaml'), stringify({ runtime: 'kubernetes', kubernetes: { context: 'mine' } }));
  const { stack } = await openStack({ root, env: {}, cacheDir: scratch(), packageRoot: packageRoot() });
  const pod = (name: string, workspace: string) => {
    const labels = { ...ownLabels({ workspace, stack: stack.stack, manifest: 'x' }), 'app.kubernetes.io/name': 'polaris' };
    return { metadata: { name, namespace: 'polaris', uid: name, labels } };
  };
  const pods = [pod('own', stack.workspace.id), pod('of-a-neighbour', 'deadbeef')];
  const deleted: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://server');
    if (request.method === 'DELETE') deleted.push(url.pathname);
    const wanted = (url.searchParams.get('labelSelector') ?? '').split(',').map((part) => part.split('='));
    const items = pods.filter(({ metadata: { labels } }) =>
      wanted.every(([key = '', value]) => labels[key as keyof typeof labels] === value),
    );
    response.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => (server.closeAllConnections(), server.close()));
  const kubeconfig = path.join(root, 'kubeconfig');
  const { port } = server.address() as AddressInfo;
  const clusters = [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }];
  const contexts = [{ name: 'mine', context: { cluster: 'c', user: 'u' } }];
  writeFileSync(kubeconfig, stringify({ clusters, contexts, users: [{ name: 'u', user: {} }] }));
  process.env['KUBECONFIG'] = kubeconfig;

  await restartInCluster(stack, new AbortController().signal);
  expect(deleted).toEqual(['/api/v1/namespaces/polaris/pods/own']);
});
