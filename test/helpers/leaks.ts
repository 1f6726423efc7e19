import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { listeners, processesOf } from './forge.js';

/** Where somebody listens: `127.0.0.1:19094` as /proc/net writes it, with who it is. */
export interface Listening {
  pid: number;
  address: string;
  port: number;
}

/** What may be left over of a stack: its processes, the ports of this machine, the files in some folders with their modes. */
export interface Snapshot {
  processes: string[];
  ports: string[];
  files: string[];
}

export interface Look {
  /** Looked at whoever has them. */
  ports?: number[];
  /** Beside the workspace. */
  folders?: string[];
  /** Files that servers write and delete while they run. */
  without?: RegExp;
}

/** What there is now of a workspace. */
export function snapshot(root: string, { ports = [], folders = [], without }: Look = {}): Snapshot {
  const processes = processesOf(root);
  const listening = listeningOf(processes.map((line) => Number.parseInt(line, 10)));
  const taken = listeners().filter(({ port }) => ports.includes(port));
  return {
    // Without the pid: a server that was started anew is no leak.
    processes: processes.map((line) => line.replace(/^\d+ /, '').slice(0, 200)).sort(),
    ports: [...new Set([...listening, ...taken].map(({ address, port }) => `${address}:${port}`))].sort(),
    files: [root, ...folders]
      .flatMap(filesIn)
      .filter((line) => without?.test(line) !== true)
      .sort(),
  };
}

/** What differs between two moments, a line each; empty when nothing was left over and nothing was lost. */
export function difference(before: Snapshot, after: Snapshot): string[] {
  return (['processes', 'ports', 'files'] as const).flatMap((kind) => [
    ...less(after[kind], before[kind]).map((line) => `${kind}: left over: ${line}`),
    ...less(before[kind], after[kind]).map((line) => `${kind}: gone: ${line}`),
  ]);
}

/** As often as it is there more than in the other. */
function less(lines: string[], others: string[]): string[] {
  const rest = [...others];
  return lines.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** Ports on which these processes listen. */
export function listeningOf(pids: number[]): Listening[] {
  const all = listeners();
  return pids.flatMap((pid) => {
    const own = new Set(inodesOf(pid));
    return all.filter(({ inode }) => own.has(inode)).map(({ address, port }) => ({ pid, address, port }));
  });
}

/** Every file and folder below, with its mode; what vanishes meanwhile is left out. */
export function filesIn(folder: string): string[] {
  return entriesIn(folder).map(({ path, mode }) => `${mode.toString(8).padStart(4, '0')} ${join(folder, path)}`);
}

export interface Entry {
  path: string;
  mode: number;
  kind: 'file' | 'folder' | 'link' | 'other';
}

export function entriesIn(folder: string, below = folder): Entry[] {
  let names: string[];
  try {
    names = readdirSync(below);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(below, name);
    try {
      const found = lstatSync(path);
      const kind = found.isDirectory() ? 'folder' : found.isFile() ? 'file' : found.isSymbolicLink() ? 'link' : 'other';
      return [{ path: relative(folder, path), mode: found.mode & 0o7777, kind }, ...(kind === 'folder' ? entriesIn(folder, path) : [])];
    } catch {
      return [];
    }
  });
}

function inodesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
