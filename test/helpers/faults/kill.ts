import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTable } from '../../../src/runtimes/process/identify.js';
import type { Sandbox } from '../forge.js';
import { waitFor } from '../lake.js';

/** The process of a server, by its name in .forge/run. */
export const pidOf = (box: Sandbox, name: string): number =>
  (JSON.parse(readFileSync(join(box.root, '.forge', 'run', `${name}.json`), 'utf8')) as { pid: number }).pid;

/** Sends SIGKILL and waits until the process is gone. */
export async function killServer(box: Sandbox, name: string): Promise<undefined> {
  const pid = pidOf(box, name);
  process.kill(pid, 'SIGKILL');
  await waitFor(async () => {
    if ((await processTable()).has(pid)) throw new Error(`${name} still runs`);
  });
  return undefined;
}
