import path from 'node:path';
import { readText } from '../../../workspace/read-text.js';

export interface MemoryFacts {
  /** What can still be taken, from the machine and from every group of processes that this one is in. */
  availableBytes: number;
  /** What says so: `this machine`, or the limit. */
  limitedBy: string;
}

/** Linux only; undefined where nothing can be told. `root` is for tests. */
export function memoryFacts(root = '/'): MemoryFacts | undefined {
  const info = read(root, '/proc/meminfo');
  const kilobytes = (name: string): number | undefined => numberIn(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(info)?.[1]);
  const available = kilobytes('MemAvailable');
  if (available === undefined) return undefined;
  const machine: MemoryFacts = { availableBytes: (available + (kilobytes('SwapFree') ?? 0)) * 1024, limitedBy: 'this machine' };
  return [machine, ...groupsOf(root)].reduce((least, one) => (one.availableBytes < least.availableBytes ? one : least));
}

/** A limit holds for all groups below it, so each group up to the root counts. */
function groupsOf(root: string): MemoryFacts[] {
  const lines = read(root, '/proc/self/cgroup').split('\n');
  const v1 = lines.map((line) => /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/.exec(line)?.[1]).find((found) => found !== undefined);
  const v2 = lines.map((line) => /^0::(.*)$/.exec(line)?.[1]).find((found) => found !== undefined);
  if (v1 !== undefined)
    return above(v1).flatMap((group) => groupOf(root, `/sys/fs/cgroup/memory${group}`, 'memory.limit_in_bytes', 'memory.usage_in_bytes'));
  return v2 === undefined ? [] : above(v2).flatMap((group) => groupOf(root, `/sys/fs/cgroup${group}`, 'memory.max', 'memory.current'));
}

function groupOf(root: string, folder: string, limitFile: string, usageFile: string): MemoryFacts[] {
  const limit = numberIn(read(root, `${folder}/${limitFile}`).trim());
  const usage = numberIn(read(root, `${folder}/${usageFile}`).trim());
  // Version 1 writes a number near 2^63 for no limit, version 2 the word max.
  if (limit === undefined || usage === undefined || limit >= 2 ** 60) return [];
  const stat = read(root, `${folder}/memory.stat`);
  // Pages of files are given back as soon as somebody needs the room.
  const files = ['inactive_file', 'active_file'].reduce(
    (sum, name) => sum + (numberIn(new RegExp(`^(?:total_)?${name} (\\d+)`, 'm').exec(stat)?.[1]) ?? 0),
    0,
  );
  const mebibytes = Math.round(limit / 1024 ** 2);
  return [{ availableBytes: Math.max(0, limit - usage + files), limitedBy: `a limit of ${mebibytes} MiB (${folder}/${limitFile})` }];
}

/** `/a/b`, `/a` and the root itself; a container may not see its own path, but it sees the root. */
function above(group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..');
  return [...parts.keys()].map((index) => `/${parts.slice(0, parts.length - index).join('/')}`).concat('');
}

const numberIn = (text: string | undefined): number | undefined => (text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined);

const read = (root: string, file: string): string => readText(path.join(root, file)) ?? '';
