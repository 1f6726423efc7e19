import { spawn } from 'node:child_process';
import path from 'node:path';

export const projectRoot = path.resolve(import.meta.dirname, '../../..');
export const fixtureBin = path.join(import.meta.dirname, 'fixture', 'bin.js');

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Sends the signal each time that its text appears on stderr. */
  signals?: { after: string; signal: NodeJS.Signals }[];
  /** Closes stdout after the first bytes, as `| head -1` does. */
  closeStdout?: boolean;
}

/** Runs a Node script to its end; nobody is at its stdin. */
export function runNode(script: string, argv: string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: '1', NODE_ENV: 'production', ...options.env };
    const child = spawn(process.execPath, [script, ...argv], { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const pending = [...(options.signals ?? [])];
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (options.closeStdout) child.stdout.destroy();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      while (pending[0] && stderr.includes(pending[0].after)) child.kill(pending.shift()?.signal);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a command of the fixture project. */
export const runFixture = (argv: string[], options?: RunOptions): Promise<Ran> => runNode(fixtureBin, argv, options);
