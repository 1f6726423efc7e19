import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '../../../src/clients/wait.js';
import { processStartTime } from '../../../src/workspace/identity.js';

export const gone = (pid: number): Promise<boolean> =>
  waitUntil(async () => processStartTime(pid) === undefined, { what: `process ${pid} to end`, timeoutMs: 10_000 });

/** The number in a file, once its line is whole. */
export const pidIn = (file: string): Promise<number> =>
  waitUntil(
    async () => {
      try {
        const text = readFileSync(file, 'utf8');
        return text.endsWith('\n') && Number(text);
      } catch {
        return false;
      }
    },
    { what: `a pid in ${file}`, timeoutMs: 15_000 },
  );

/** Text for a script: the path of a source file, as a module name. */
export const source = (file: string): string => JSON.stringify(path.resolve('src', file));

/** Runs a script of forge's sources until a program that it starts has written its pid to `file`, and kills it: gives that pid. */
export async function killForge(folder: string, script: string, file: string): Promise<number> {
  const name = path.join(folder, 'forge.mts');
  writeFileSync(name, script);
  const forge = spawn(process.execPath, ['--import', 'tsx', name], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    return await pidIn(file);
  } finally {
    forge.kill('SIGKILL');
  }
}
