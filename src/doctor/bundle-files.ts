import { lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { keptFile } from '../workspace/kept.js';
import type { Workspace } from '../workspace/workspace.js';
import type { BundlePart } from './bundle.js';

/** So much of the end of each log, and of each other file at most. */
const MOST_BYTES = 256 * 1024;

/** The settings and what `up` was told, as they are, damaged or not. */
export async function settingsParts(workspace: Workspace): Promise<BundlePart[]> {
  const wanted = [
    { name: 'forge.yaml', file: workspace.configFile },
    { name: 'stack.json', file: keptFile(workspace) },
  ];
  return (await Promise.all(wanted.map(({ name, file }) => filePart(name, file)))).flat();
}

/** What forge generated for the servers. */
export async function generatedParts({ generated }: Workspace): Promise<BundlePart[]> {
  const names = (await readdir(generated, { recursive: true }).catch(() => [])).filter((name) => !/kubeconfig/i.test(name)).sort();
  return (await Promise.all(names.map((name) => filePart(path.posix.join('generated', name), path.join(generated, name))))).flat();
}

/** The end of every log that servers as processes have written. */
export async function logParts({ logs }: Workspace): Promise<BundlePart[]> {
  const names = (await readdir(logs).catch(() => [])).filter((name) => name.endsWith('.log')).sort();
  return (await Promise.all(names.map((name) => filePart(`logs/${name}`, path.join(logs, name))))).flat();
}

/** The end of a file from the start of a line on: half a secret would not be known as one. Nothing that is no file itself. */
async function filePart(name: string, file: string): Promise<BundlePart[]> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return [];
  if (!found.isFile()) return [{ name, text: 'This is a link or something else that is no file, and was left out.\n' }];
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - MOST_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    const text = buffer.toString('utf8', 0, bytesRead);
    return [{ name, text: start === 0 ? text : `… ${start} bytes before this are left out\n${text.slice(text.indexOf('\n') + 1)}` }];
  } finally {
    await handle.close();
  }
}
