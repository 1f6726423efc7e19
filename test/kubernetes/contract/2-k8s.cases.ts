import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { k8sApply } from '../../../src/modules/k8s-apply.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import type { ContractCase } from '../../integration/contract/types.js';
import { configMapOf, namespaceOf } from '../../helpers/kube-stack.js';
import { command } from '../../helpers/k3d-world-docker.js';
import { closedPort, type TestWorld } from '../../helpers/world.js';

const NAMESPACE = 'contract';
const objects = [namespaceOf(NAMESPACE), configMapOf(NAMESPACE, 'settings', { level: 'info' })];

/** Manifests of the test in the place of forge's. */
async function withManifests(world: TestWorld): Promise<TestWorld> {
  const packageRoot = join(world.scratch, 'package');
  await mkdir(join(packageRoot, 'manifests'), { recursive: true });
  const write = (name: string, list: object[]) =>
    writeFile(join(packageRoot, 'manifests', `${name}.yaml`), list.map((object) => stringify(object)).join('---\n'));
  await write('contract', objects);
  // Flink's manifests ask for its packages, which are not part of this one.
  return { ...world, stack: { ...world.stack, packageRoot, engine: 'risingwave' } };
}

/** The same cluster at a port on which nobody listens. */
async function away(world: TestWorld): Promise<TestWorld> {
  const workspace = workspaceAt(join(world.scratch, 'away'));
  await cp(world.stack.workspace.forgeDir, workspace.forgeDir, { recursive: true });
  const file = join(workspace.forgeDir, 'kubeconfig');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/127\.0\.0\.1:[0-9]+/, `127.0.0.1:${await closedPort()}`), { mode: 0o600 });
  return { ...world, stack: { ...world.stack, workspace: { ...workspace, id: world.stack.workspace.id } } };
}

const kubectl = ({ stack }: TestWorld, ...args: string[]): Promise<unknown> =>
  command('kubectl', '--kubeconfig', join(stack.workspace.forgeDir, 'kubeconfig'), ...args);

export const cases: ContractCase[] = [
  {
    module: k8sApply,
    title: 'the objects of a manifest',
    world: withManifests,
    args: () => ({ manifest: 'contract.yaml' }),
    drift: [
      {
        what: 'a field was edited by hand',
        make: (world) => kubectl(world, '-n', NAMESPACE, 'patch', 'configmap', 'settings', '-p', '{"data":{"level":"debug"}}').then(),
      },
      { what: 'an object is gone', make: (world) => kubectl(world, '-n', NAMESPACE, 'delete', 'configmap', 'settings').then() },
    ],
    unreachable: away,
  },
];
