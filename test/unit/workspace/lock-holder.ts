// Run by lock.test.ts: takes the lock, says how that went, and keeps it until its input ends.
import { acquireLock } from '../../../src/workspace/lock.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';

const [root = '', command = ''] = process.argv.slice(2);
const line = await acquireLock(workspaceAt(root), command).then(
  () => 'taken',
  (error: unknown) => `refused ${(error as { code: string }).code}`,
);
process.stdout.write(`${line}\n`);
process.stdin.resume();
