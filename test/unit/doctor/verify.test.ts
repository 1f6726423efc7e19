import path from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { verifyWorkspace } from '../../../src/lifecycle/verify.js';
import { scratch } from '../../helpers/folders.js';

test('a folder without a stack: nobody who listens on its default ports is asked', async () => {
  const folder = scratch();
  const asked: string[] = [];
  const proof = verifyWorkspace({
    folder,
    cacheDir: path.join(folder, 'cache'),
    packageRoot: packageRoot(),
    flags: { runtime: 'process', catalog: 'iceberg-rest' },
    probe: true,
    signal: AbortSignal.timeout(10_000),
    progress: (text) => asked.push(text),
  });
  await expect(proof).rejects.toMatchObject({ code: 'NOT_UP', exitCode: 4, hint: expect.stringContaining('forge up') as string });
  expect(asked).toEqual([]);
});
