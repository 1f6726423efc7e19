import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { packageRoot } from '../../src/cli/paths.js';
import type { KubeObject } from '../../src/clients/kubernetes.js';
import { ownershipOf, withLabels } from '../../src/runtimes/kubernetes/labels.js';
import type { StackContext } from '../../src/workspace/context.js';
import { writeKept } from '../../src/workspace/kept.js';
import { openStack } from '../../src/workspace/open.js';
import { prepareWorkspace } from '../../src/workspace/workspace.js';
import { SMALL_IMAGE, type ExistingCluster } from './existing-cluster.js';
import { closedPort } from './world.js';

/** A workspace whose stack is kept as one on the existing cluster, without anything of it being there. */
export interface ExistingStack {
  stack: StackContext;
  /** Puts objects into the cluster as if forge had applied them from `NAMESPACE/NAMESPACE.yaml`. */
  put(namespace: string, ...objects: object[]): Promise<void>;
  close(): void;
}

/** Sets KUBECONFIG, one at a time. */
export async function existingStack(cluster: ExistingCluster, config: object = {}): Promise<ExistingStack> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'forge-existing-stack-')));
  const settings = { runtime: 'kubernetes', engine: 'flink', catalog: 'iceberg-rest', ports: await freePorts() };
  writeFileSync(join(root, 'forge.yaml'), stringify({ ...settings, kubernetes: { context: cluster.context }, ...config }));
  const before = process.env['KUBECONFIG'];
  process.env['KUBECONFIG'] = cluster.kubeconfig;
  const { stack } = await openStack({ root, env: {}, cacheDir: join(root, 'cache'), packageRoot: packageRoot() });
  await prepareWorkspace(stack.workspace);
  await writeKept(stack.workspace, stack);
  return {
    stack,
    async put(namespace, ...objects) {
      const owner = ownershipOf(stack, `${namespace}/${namespace}.yaml`);
      const all = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, ...objects];
      await cluster.apply(...all.map((object) => withLabels(object as KubeObject, owner)));
    },
    close() {
      if (before === undefined) delete process.env['KUBECONFIG'];
      else process.env['KUBECONFIG'] = before;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A container that serves these files over HTTP, and its own name at /pod. */
export function filesServer(files: Record<string, string>, port: number): Record<string, unknown> {
  const all = Object.entries(files).map(([path, text]) => `mkdir -p "/www$(dirname ${path})" && echo '${text}' >/www${path}`);
  const script = ['mkdir -p /www', 'hostname >/www/pod', ...all, `exec httpd -f -v -p ${port} -h /www`].join(' && ');
  return {
    image: SMALL_IMAGE,
    command: ['sh', '-c', script],
    ports: [{ name: 'web', containerPort: port }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  };
}

/** Ports of this machine that nobody has, for all that leads into the cluster. */
export async function freePorts(): Promise<Record<string, number>> {
  const names = ['kafka', 'localstack', 'postgresql', 'catalog', 'catalog-management', 'flink', 'flink-sql-gateway', 'risingwave'];
  const ports: Record<string, number> = {};
  for (const name of names) ports[name] = await closedPort();
  return ports;
}
