import { expect, it } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { modules } from '../../../src/modules/index.js';
import { listStacks, loadStack } from '../../../src/playbook/load.js';

const stacks = await listStacks(packageRoot());

it('ships the stack that `forge up` brings up', () => {
  expect(stacks.map(({ name }) => name)).toContain('balloon-popper');
});

it.each(stacks)('$name has no mistakes, and uses only modules that exist', async ({ name }) => {
  const { tasks } = await loadStack(packageRoot(), name, modules);
  expect(tasks.length).toBeGreaterThan(0);
});
