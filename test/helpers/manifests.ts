import { mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/cli/paths.js';
import type { KubeObject } from '../../src/clients/kubernetes-types.js';
import { manifestValues } from '../../src/components/pods.js';
import { renderManifest } from '../../src/runtimes/kubernetes/render.js';
import type { Selection, StackContext } from '../../src/workspace/context.js';
import { openStack } from '../../src/workspace/open.js';

/** Every file below manifests/, and with what choice it is used. */
const FILES: Record<string, Partial<Selection>> = {
  'kafka/kafka.yaml': {},
  'localstack/localstack.yaml': {},
  'postgresql/postgresql.yaml': {},
  'polaris/realm.yaml': { catalog: 'polaris' },
  'polaris/bootstrap.yaml': { catalog: 'polaris' },
  'polaris/polaris.yaml': { catalog: 'polaris' },
  'iceberg-rest/iceberg-rest.yaml': { catalog: 'iceberg-rest' },
  'risingwave/risingwave.yaml': { engine: 'risingwave' },
  'flink/flink.yaml': { engine: 'flink' },
};

export const manifestFiles = (): string[] =>
  readdirSync(join(packageRoot(), 'manifests'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .sort();

/** Values that YAML, JSON and SQL take for something else where they are not quoted. */
export const HARD = 'a"b\\c\'d: #{e} %f';

const CREDENTIALS: Record<string, Record<string, string>> = {
  postgresql: { username: 'forge', password: `superuser ${HARD}` },
  'catalog-db': { username: 'catalog', password: `catalog ${HARD}` },
  aws: { accessKeyId: 'access', secretAccessKey: `object store ${HARD}` },
  'polaris-root': { clientId: 'root', clientSecret: `root ${HARD}` },
  'polaris-tokens': { publicKey: '-----BEGIN PUBLIC KEY-----\nMIIC\n', privateKey: '-----BEGIN PRIVATE KEY-----\nMIIJ\n' },
  'risingwave-db': { username: 'risingwave', password: `risingwave ${HARD}` },
};

/** The objects of every manifest, filled in for a runtime, by file. */
export async function renderAll(runtime: 'k3d' | 'kubernetes', config: Record<string, string> = {}): Promise<Rendered> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'forge-manifests-')));
  try {
    const rendered: Rendered = { objects: {}, stacks: {} };
    for (const [file, choice] of Object.entries(FILES)) {
      const flags = { runtime, engine: 'risingwave', catalog: 'polaris', ...choice, ...config };
      const { stack } = await openStack({ root, flags, env: {}, cacheDir: join(root, 'cache'), packageRoot: packageRoot() });
      for (const [name, fields] of Object.entries(CREDENTIALS)) await stack.credentials.write(name, fields);
      rendered.objects[file] = (await renderManifest(stack, file, await manifestValues(stack))).objects;
      rendered.stacks[file] = stack;
    }
    return rendered;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

export interface Rendered {
  objects: Record<string, KubeObject[]>;
  stacks: Record<string, StackContext>;
}

export const decoded = (object: KubeObject): Record<string, string> =>
  Object.fromEntries(
    Object.entries(object['data'] as Record<string, string>).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );
