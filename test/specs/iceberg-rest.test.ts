import { beforeAll, describe, expect, it } from 'vitest';
import { stackCatalog } from '../../src/clients/iceberg.js';
import { packageRoot } from '../../src/cli/paths.js';
import type { StackContext } from '../../src/workspace/context.js';
import { openStack } from '../../src/workspace/open.js';
import { bring, catalogTasks, taskContext, type CatalogTask } from '../helpers/catalog-tasks.js';
import { icebergDocument, problemsIn } from './documents.js';
import { record } from './record.js';

it('the document is there', () => {
  expect(icebergDocument().seen.size).toBe(0);
});

// The real catalog is one that was brought up before: FORGE_TEST_WORKSPACE names its workspace, as for the integration tests.
const root = process.env['FORGE_TEST_WORKSPACE'];
if (root !== undefined && root !== '') {
  describe('every request to the real Iceberg REST catalog', () => {
    let stack: StackContext;
    let tasks: CatalogTask[];

    beforeAll(async () => {
      const opened = await openStack({ root, cacheDir: '', packageRoot: packageRoot() });
      const { config } = opened.stack;
      stack = { ...opened.stack, config: { ...config, lake: { ...config.lake, namespace: `specs_${process.pid}` } } };
      tasks = catalogTasks(stack).filter(({ module }) => module.name.startsWith('iceberg.'));
    });

    it('keeps to the document, and so do its answers', async () => {
      expect(stack.catalog).toBe('iceberg-rest');
      const document = icebergDocument();
      const exchanges = await record(stack.ports['catalog']!, async () => {
        for (const task of tasks) expect(await bring(task, stack)).toMatch(/created/);
        for (const task of tasks) expect(await bring(task, stack)).toBe('ok');
        const leaderboard = tasks.find(({ id }) => id === 'table-leaderboard')!;
        const args = {
          ...(leaderboard.args as object),
          partition: ['hour(event_ts)'],
          sort: ['player asc'],
          properties: { owner: 'specs' },
        };
        expect(await bring({ ...leaderboard, args }, stack)).toMatch(/partition.*sort.*properties/);
        await stackCatalog(stack).updateProperties(stack.config.lake.namespace, { owner: 'specs' }, []);
        await expect(stackCatalog(stack).dropNamespace(stack.config.lake.namespace)).rejects.toMatchObject({ code: 'NAMESPACE_NOT_EMPTY' });
        for (const { module, args } of tasks.reverse()) await module.remove!(args, taskContext(stack));
      });
      expect(problemsIn(exchanges, [document])).toEqual([]);
      expect([...document.seen].sort()).toEqual([
        'createNamespace',
        'createTable',
        'dropNamespace',
        'dropTable',
        'getConfig',
        'loadNamespaceMetadata',
        'loadTable',
        'updateProperties',
        'updateTable',
      ]);
    });
  });
}
