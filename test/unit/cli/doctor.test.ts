import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { acquireLock } from '../../../src/workspace/lock.js';
import { prepareWorkspace, workspaceAt } from '../../../src/workspace/workspace.js';
import { expectShape } from '../../helpers/schemas.js';
import { projectRoot, runNode } from './run.js';

it('doctor --fix: what went wrong while mending is in the document, and decides the exit code', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'forge-doctor-'));
  try {
    const workspace = workspaceAt(folder);
    await prepareWorkspace(workspace);
    await chmod(workspace.credentials, 0o755);
    const lock = await acquireLock(workspace, 'up');
    const argv = ['doctor', '--fix', '--only', 'workspace', '--json', '-w', folder];
    const ran = await runNode(path.join(projectRoot, 'bin', 'dev.js'), argv);
    lock.release();
    const document: unknown = JSON.parse(ran.stdout);
    expect(document).toMatchObject({ healthy: false, findings: [{ id: 'file-modes' }], error: { code: 'WORKSPACE_LOCKED' } });
    expectShape('doctor', document);
    expect(ran.code).toBe(3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
