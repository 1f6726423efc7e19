import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/clients/kubernetes-types.js';
import { hasPods } from '../../src/runtimes/kubernetes/labels.js';
import { manifestFiles, renderAll, type Rendered } from '../helpers/manifests.js';
import { placeOf } from '../helpers/kwok-api.js';
import { startFakeCluster, type FakeCluster } from '../helpers/kwok.js';

const folder = mkdtempSync(join(tmpdir(), 'forge-strict-'));
let cluster: FakeCluster;
beforeAll(async () => {
  cluster = await startFakeCluster(folder, 'forge-strict');
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

const place = ({ kind, metadata: { namespace, name } }: KubeObject): string => placeOf(kind, namespace, name);
const inOrder = (objects: KubeObject[]): KubeObject[] => {
  const rank = (object: KubeObject): number => (object.kind === 'Namespace' ? 0 : hasPods(object) ? 2 : 1);
  return [...objects].sort((a, b) => rank(a) - rank(b));
};

describe.each(['k3d', 'kubernetes'] as const)('on %s', (runtime) => {
  let rendered: Rendered;
  beforeAll(async () => {
    rendered = await renderAll(runtime);
  });

  test.each(manifestFiles())('the API server takes all of %s with strict validation, and again without a change', async (file) => {
    // Polaris' own file has no namespace: the realm's comes first.
    const objects = file === 'polaris/realm.yaml' ? [] : inOrder(rendered.objects['polaris/realm.yaml']!);
    for (const object of [...objects, ...inOrder(rendered.objects[file]!)])
      await cluster.api.apply(place(object), object, { manager: 'forge', force: true });
    for (const object of rendered.objects[file]!) {
      const before = await cluster.api.get(place(object));
      const after = await cluster.api.apply(place(object), object, { manager: 'forge', dryRun: true });
      expect([object.kind, object.metadata.name, after.metadata.resourceVersion]).toEqual([
        object.kind,
        object.metadata.name,
        before?.metadata.resourceVersion,
      ]);
    }
    // Both catalogs have the same port of the node, and a Job cannot be changed.
    for (const object of rendered.objects[file]!) if (['Service', 'Job'].includes(object.kind)) await cluster.api.delete(place(object));
  });
});

test('a field that does not exist is refused: the check above can fail', async () => {
  const { objects } = await renderAll('k3d');
  const service = objects['kafka/kafka.yaml']!.find(({ kind }) => kind === 'Service')!;
  const wrong = { ...service, spec: { ...(service['spec'] as object), selectors: {} } };
  await expect(cluster.api.apply(place(service), wrong, { manager: 'forge', dryRun: true })).rejects.toThrow(/selectors/);
});
