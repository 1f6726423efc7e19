import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_PORTS } from '../../../src/config/schema.js';
import type { CatalogName } from '../../../src/workspace/context.js';
import { writeKept, type Kept } from '../../../src/workspace/kept.js';
import { openStack, type OpenedStack, type OpenOptions } from '../../../src/workspace/open.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

let workspace: Workspace;
let asked: number;
beforeEach(async () => {
  workspace = workspaceAt(scratch());
  asked = 0;
  await prepareWorkspace(workspace);
});

const open = (options: Partial<OpenOptions> = {}): Promise<OpenedStack> =>
  openStack({
    root: workspace.root,
    env: {},
    cacheDir: scratch(),
    packageRoot: path.resolve('.'),
    allocate: false,
    resolveCatalog: async (): Promise<CatalogName> => {
      asked++;
      return 'polaris';
    },
    ...options,
  });
const kept: Kept = { stack: 'cat-cafe', runtime: 'process', engine: 'flink', catalog: 'iceberg-rest', ports: { kafka: 19999 } };

describe('openStack', () => {
  it('before the first up, auto is resolved and the ports are those set or the defaults', async () => {
    writeFileSync(workspace.configFile, 'ports: {flink: 4242}\nlake: {bucket: my-lake}\nviews: {database: games}\n');
    const { stack, isKnown, moved, selectionChanges } = await open();
    expect({ isKnown, moved, selectionChanges }).toEqual({ isKnown: false, moved: [], selectionChanges: [] });
    expect(stack).toMatchObject({ stack: 'balloon-popper', runtime: 'process', engine: 'flink', catalog: 'polaris' });
    expect(stack.ports).toEqual({ ...DEFAULT_PORTS, flink: 4242 });
    const urls = Object.fromEntries(Object.entries(stack.endpoints).map(([name, { url }]) => [name, url]));
    expect(urls).toEqual({
      kafka: '127.0.0.1:19094',
      localstack: 'http://127.0.0.1:4566',
      postgresql: 'postgresql://127.0.0.1:15432/games',
      catalog: 'http://127.0.0.1:18181/api/catalog',
      flink: 'http://127.0.0.1:4242',
    });
    for (const { host, port, url, inside } of Object.values(stack.endpoints)) expect(inside).toEqual({ host, port, url });
  });

  it('what was kept needs no flag, wins over auto, and over the default stack', async () => {
    await writeKept(workspace, kept);
    writeFileSync(workspace.configFile, 'catalog: auto\n');
    const { stack, selectionChanges, isKnown } = await open();
    expect(stack).toMatchObject({ stack: 'cat-cafe', catalog: 'iceberg-rest' });
    expect(stack.endpoints['kafka']?.url).toBe('127.0.0.1:19999');
    expect(stack.endpoints['catalog']?.url).toBe('http://127.0.0.1:18181');
    expect({ selectionChanges, isKnown, asked }).toEqual({ selectionChanges: [], isKnown: true, asked: 0 });
  });

  it.each<[string, Partial<OpenOptions>, string]>([
    ['a flag', { flags: { catalog: 'polaris' } }, ''],
    ['a variable', { env: { FORGE_CATALOG: 'polaris' } }, ''],
    ['the file', {}, 'catalog: polaris\n'],
  ])('%s that says something else is shown as a change', async (_, options, yaml) => {
    await writeKept(workspace, kept);
    writeFileSync(workspace.configFile, yaml);
    const { stack, selectionChanges } = await open(options);
    expect(stack.catalog).toBe('polaris');
    expect(selectionChanges).toEqual([{ key: 'catalog', from: 'iceberg-rest', to: 'polaris' }]);
  });

  describe('a context of the kubeconfig', () => {
    const onKubernetes: Kept = { ...kept, runtime: 'kubernetes', context: 'kind-a' };

    it('that was kept needs no flag, and is what the Kubernetes client is told', async () => {
      await writeKept(workspace, onKubernetes);
      const { stack, selectionChanges } = await open();
      expect([stack.context, stack.config.kubernetes.context, selectionChanges]).toEqual(['kind-a', 'kind-a', []]);
    });

    it('that is another one than before is shown as a change', async () => {
      await writeKept(workspace, onKubernetes);
      const { stack, selectionChanges } = await open({ flags: { 'kubernetes.context': 'cloud' } });
      expect([stack.context, stack.config.kubernetes.context]).toEqual(['cloud', 'cloud']);
      expect(selectionChanges).toEqual([{ key: 'context', from: 'kind-a', to: 'cloud' }]);
    });

    it('is no part of a stack on processes, and is forgotten with its runtime', async () => {
      await writeKept(workspace, onKubernetes);
      const { stack } = await open({ flags: { runtime: 'process', 'kubernetes.context': 'cloud' } });
      expect(stack).not.toHaveProperty('context');
      await writeKept(workspace, stack);
      expect((await open({ flags: { runtime: 'kubernetes' } })).stack).not.toHaveProperty('context');
    });
  });

  it('chosen ports are all there, and the same again once they are kept', async () => {
    const cacheDir = scratch();
    const allocate = { isOurs: () => false };
    const { stack } = await open({ allocate, cacheDir });
    await writeKept(workspace, { ...kept, ports: stack.ports });
    const again = await open({ allocate, cacheDir });
    expect(again.stack.ports).toEqual(stack.ports);
    expect(again.moved).toEqual([]);
    expect((await open()).stack.ports).toEqual(stack.ports);
  });

  it('damaged kept selections are said, not passed over', async () => {
    writeFileSync(`${workspace.forgeDir}/stack.json`, '{');
    await expect(open()).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
  });
});
