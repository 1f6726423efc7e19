import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { k8sApply } from '../../src/modules/k8s-apply.js';
import { k8sReady } from '../../src/modules/k8s-ready.js';
import type { Observation, TaskContext, TaskModule } from '../../src/modules/contract.js';
import type { StackContext } from '../../src/workspace/context.js';
import { openStack } from '../../src/workspace/open.js';
import { prepareWorkspace } from '../../src/workspace/workspace.js';

/** A workspace that uses a cluster, with manifests of its own in place of forge's. */
export interface KubeStack {
  stack: StackContext;
  /** What a task said that it does, in order. */
  progress: string[];
  /** Writes a file of manifests/; objects become YAML. */
  manifest(file: string, content: string | object[]): void;
  observe(file: string, more?: object): Promise<Observation>;
  /** Observes, applies what is to be applied, and gives what was done; throws when there is nothing to do, or is still afterwards. */
  apply(file: string, more?: object): Promise<string>;
  /** Applies whatever is observed, in the shape in which an error would show it. */
  applyBlindly(file: string, more?: object): Promise<string>;
  remove(file: string): Promise<void>;
  /** Waits with k8s.ready. */
  ready(args: object, signal?: AbortSignal): Promise<string>;
  observeReady(args: object): Promise<Observation>;
  close(): Promise<void>;
}

export interface KubeStackOptions {
  kubeconfig: string;
  context: string;
  config?: object;
}

/** Sets KUBECONFIG: one at a time. */
export async function kubeStack({ kubeconfig, context, config = {} }: KubeStackOptions): Promise<KubeStack> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'forge-kube-')));
  const [root, packageRoot] = [path.join(folder, 'workspace'), path.join(folder, 'package')];
  for (const made of [root, path.join(packageRoot, 'manifests')]) mkdirSync(made, { recursive: true });
  writeFileSync(path.join(packageRoot, 'images.yaml'), 'kafka: registry.invalid/kafka:4.3.1\n');
  writeFileSync(path.join(root, 'forge.yaml'), stringify({ runtime: 'kubernetes', kubernetes: { context }, ...config }));
  const before = process.env['KUBECONFIG'];
  process.env['KUBECONFIG'] = kubeconfig;
  const { stack } = await openStack({ root, env: {}, cacheDir: path.join(folder, 'cache'), packageRoot, allocate: false });
  await prepareWorkspace(stack.workspace);
  const progress: string[] = [];
  const taskContext = (signal = new AbortController().signal): TaskContext => ({
    stack,
    signal,
    progress: (text) => void progress.push(text),
    waitingFor: () => undefined,
  });
  const args = (module: TaskModule, given: object): unknown => module.schema.parse(given);
  const observe = (file: string, more = {}): Promise<Observation> =>
    k8sApply.observe(args(k8sApply, { manifest: file, ...more }), taskContext());
  const applyBlindly = (file: string, more = {}): Promise<string> =>
    k8sApply.apply(args(k8sApply, { manifest: file, ...more }), { state: 'missing' }, taskContext());
  return {
    stack,
    progress,
    observe,
    applyBlindly,
    manifest(file, content) {
      const target = path.join(packageRoot, 'manifests', file);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, typeof content === 'string' ? content : content.map((object) => stringify(object)).join('---\n'));
    },
    async apply(file, more = {}) {
      const seen = await observe(file, more);
      if (seen.state !== 'missing' && seen.state !== 'drifted') throw new Error(`nothing to apply: ${JSON.stringify(seen)}`);
      const done = await applyBlindly(file, more);
      const after = await observe(file, more);
      if (after.state !== 'in-sync') throw new Error(`not in sync afterwards: ${JSON.stringify(after)}`);
      return done;
    },
    remove: (file) => k8sApply.remove!(args(k8sApply, { manifest: file }), taskContext()),
    ready: (given, signal) => k8sReady.apply(args(k8sReady, given), { state: 'missing' }, taskContext(signal)),
    observeReady: (given) => k8sReady.observe(args(k8sReady, given), taskContext()),
    async close() {
      if (before === undefined) delete process.env['KUBECONFIG'];
      else process.env['KUBECONFIG'] = before;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Fields = Record<string, unknown>;
const meta = (namespace: string, name: string): Fields => ({ name, namespace });
const template = (app: string, pod: Fields, container: Fields): Fields => ({
  metadata: { labels: { app } },
  spec: { terminationGracePeriodSeconds: 1, enableServiceLinks: false, ...pod, containers: [{ name: 'main', ...container }] },
});

export const namespaceOf = (name: string): Fields => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

export const configMapOf = (namespace: string, name: string, data: Record<string, string>): Fields => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: meta(namespace, name),
  data,
});

export const serviceOf = (namespace: string, name: string, spec: Fields = {}): Fields => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(namespace, name),
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80 }], ...spec },
});

export const deploymentOf = (namespace: string, name: string, container: Fields, pod: Fields = {}, spec: Fields = {}): Fields => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: meta(namespace, name),
  spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: template(name, pod, container), ...spec },
});

export const statefulSetOf = (namespace: string, name: string, container: Fields, pod: Fields = {}, spec: Fields = {}): Fields => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: meta(namespace, name),
  spec: {
    replicas: 1,
    serviceName: name,
    selector: { matchLabels: { app: name } },
    template: template(name, pod, container),
    ...spec,
  },
});

export const jobOf = (namespace: string, name: string, container: Fields, pod: Fields = {}, spec: Fields = {}): Fields => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: meta(namespace, name),
  spec: { backoffLimit: 0, ...spec, template: template(name, { restartPolicy: 'Never', ...pod }, container) },
});
