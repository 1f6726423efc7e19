import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { requireConnectors } from '../../../src/components/flink/connectors.js';
import { loadPackages, pickSets } from '../../../src/runtimes/process/install/definition.js';
import { markerOf, setFolder } from '../../../src/runtimes/process/install/installed.js';
import type { StackContext } from '../../../src/workspace/context.js';

let cacheDir: string;
let path: string | undefined;
beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), 'forge-connectors-'));
  path = process.env['PATH'];
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(cacheDir, { recursive: true, force: true });
});
const stack = (offline = false): StackContext => ({ packageRoot: packageRoot(), cacheDir, orders: { offline } }) as unknown as StackContext;

it('a machine without Maven is told before a cluster is made', async () => {
  process.env['PATH'] = cacheDir;
  await expect(requireConnectors(stack())).rejects.toMatchObject({
    code: 'MISSING_TOOLS',
    exitCode: 3,
    message: expect.stringMatching(/Maven/) as string,
  });
});

it('in the cache they are enough', async () => {
  const [set] = pickSets(await loadPackages(packageRoot()), ['flink-connectors']);
  const folder = setFolder(cacheDir, set!);
  mkdirSync(folder, { recursive: true });
  writeFileSync(markerOf(folder), '');
  process.env['PATH'] = cacheDir;
  await requireConnectors(stack());
});
