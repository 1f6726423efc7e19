import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { bringDown } from '../../../src/lifecycle/down.js';
import { prepareWorkspace, workspaceAt } from '../../../src/workspace/workspace.js';
import { isRoot, scratch, unprivileged } from '../../helpers/folders.js';

let locked: string | undefined;
afterEach(() => {
  if (locked !== undefined && existsSync(locked)) chmodSync(locked, 0o700);
});

it.each(['generated', 'data/kafka', 'run'])(
  'a file in %s that may not be removed is named, with what to do, and is no defect',
  async (where) => {
    const workspace = workspaceAt(scratch());
    await prepareWorkspace(workspace);
    const folder = path.join(workspace.forgeDir, where);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'kafka.json'), '');
    if (isRoot) execFileSync('chown', ['-R', '65534', workspace.root]);
    chmodSync((locked = folder), 0o500);
    const options = { folder: workspace.root, keepData: false, signal: AbortSignal.timeout(20_000), note: () => undefined };
    const error: unknown = await unprivileged(() => bringDown(options)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: 'NOT_WRITABLE',
      exitCode: 3,
      message: `Cannot remove ${path.join(folder, 'kafka.json')}: permission denied`,
      hint: expect.stringContaining('sudo rm -r') as string,
    });
    chmodSync(folder, 0o700);
    expect((await unprivileged(() => bringDown(options))).removed).toBe(true);
  },
);
