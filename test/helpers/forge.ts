import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/cli/paths.js';

export interface Ran<T = unknown> {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** The document on stdout; throws when it is not exactly one. */
  json: T;
  seconds: number;
}

export interface RunOptions {
  env?: Record<string, string>;
  /** Gets the child right after it was started: to signal it, for instance. */
  onStart?: (child: ChildProcess) => void;
  onStdout?: (text: string) => void;
}

/** A workspace in a folder of its own, worked on through forge's command line only. */
export interface Sandbox {
  root: string;
  forge<T = unknown>(args: string[], options?: RunOptions): Promise<Ran<T>>;
  /** As `forge`, with --json, and fails the test when the exit code is another one. */
  ok<T = unknown>(args: string[], code?: number): Promise<T>;
  /** Takes the stack down and removes the folder. */
  remove(): Promise<void>;
}

export async function sandbox(): Promise<Sandbox> {
  const root = await mkdtemp(join(tmpdir(), 'forge-e2e-'));
  const forge = <T>(args: string[], options: RunOptions = {}): Promise<Ran<T>> => runForge<T>(args, root, options);
  return {
    root,
    forge,
    async ok<T>(args: string[], code = 0): Promise<T> {
      const ran = await forge<T>([...args, '--json']);
      if (ran.code !== code) throw new Error(`forge ${args.join(' ')} exits ${ran.code}, not ${code}:\n${told(ran)}`);
      return ran.json;
    },
    async remove() {
      if (existsSync(join(root, '.forge'))) await forge(['down', '--yes']);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What is worth reading of a run with --json that ended in another way than it should: what failed and what changed. */
export function told({ stdout, stderr }: Pick<Ran, 'stdout' | 'stderr'>): string {
  try {
    const { error, tasks = [] } = JSON.parse(stdout) as { error?: object; tasks?: { status: string; id: string; message?: string }[] };
    const lines = tasks
      .filter(({ status }) => ['failed', 'changed'].includes(status))
      .map((task) => `${task.status} ${task.id}: ${task.message}`);
    return [JSON.stringify(error, null, 2), ...lines, stderr].join('\n');
  } catch {
    return `${stdout}\n${stderr}`;
  }
}

/** Runs forge in a folder that somebody else looks after. */
export function runForge<T>(args: string[], cwd: string, options: RunOptions = {}): Promise<Ran<T>> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(packageRoot(), 'bin', 'run.js'), ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: '1', FORGE_RUNTIME: 'process', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    options.onStart?.(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      options.onStdout?.(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    // Servers that forge leaves running do not hold these pipes; `close` waits for forge alone.
    child.once('close', (code, signal) => {
      resolve({
        code,
        signal,
        stdout,
        stderr,
        seconds: (performance.now() - started) / 1000,
        get json() {
          return JSON.parse(stdout) as T;
        },
      });
    });
  });
}

/** Command lines of all processes that mention this folder, from /proc: what a stack has left behind. */
export function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const text = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join('\0');
        return text.includes(folder) ? [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ')}`] : [];
      } catch {
        return [];
      }
    });
}

/** Ports on which somebody of this machine listens, with the address and the socket's inode. */
export function listeners(): { address: string; port: number; inode: string }[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    readFileSync(table, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A')
      .map((fields) => {
        const [address = '', port = ''] = fields[1]!.split(':');
        return { address, port: parseInt(port, 16), inode: fields[9] ?? '' };
      }),
  );
}

/** Loopback, as /proc/net/tcp and tcp6 write it. */
export const isLoopback = (address: string): boolean =>
  address.endsWith('7F') || address === '00000000000000000000000001000000' || address === '0000000000000000FFFF00000100007F';
