import { readText } from '../../../workspace/read-text.js';
import type { Check, Trouble } from '../../check.js';

/** Below these a server of the stack was seen to fail. */
const OPEN_FILES = 1024;
const INOTIFY = { max_user_instances: 128, max_user_watches: 8192 };

type Read = (file: string) => string | undefined;

/** Open files of a process, and of the whole machine. */
export const openFiles: Check = {
  id: 'open-files',
  group: 'machine',
  severity: 'warning',
  title: 'Servers may open as many files as they need',
  concerns: ({ stack }) => process.platform === 'linux' && stack.runtime === 'process',
  look: () => Promise.resolve(openFileTroubles()),
};

export function openFileTroubles(read: Read = readText): Trouble[] {
  // Node raises its own limit as far as it may, and its children inherit that.
  const limit = Number(/^Max open files\s+(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1] ?? Infinity);
  if (limit < OPEN_FILES)
    return [
      {
        title: 'Servers may open too few files',
        cause: `A process may have ${limit} open files here (ulimit -n); Kafka and Flink need about ${OPEN_FILES}`,
        remedy: `\`ulimit -n 4096\` in the shell before \`forge up\`, or raise the hard limit in /etc/security/limits.conf`,
      },
    ];
  const [used = 0, , most = Infinity] = (read('/proc/sys/fs/file-nr') ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
  if (used < most * 0.95) return [];
  return [
    {
      title: 'This machine can open hardly any more files',
      cause: `${used} of ${most} files of the whole machine are open (/proc/sys/fs/file-nr)`,
      remedy: '`sudo sysctl fs.file-max=1000000`, or end what has so many open',
    },
  ];
}

/** k3s and its pods watch many files; a node that may not stays unready with "too many open files". */
export const inotifyLimits: Check = {
  id: 'inotify-limits',
  group: 'machine',
  severity: 'warning',
  title: 'The node of the cluster may watch as many files as it needs',
  concerns: ({ stack }) => process.platform === 'linux' && stack.runtime === 'k3d',
  look: () => Promise.resolve(inotifyTroubles()),
};

export function inotifyTroubles(read: Read = readText): Trouble[] {
  const low = Object.entries(INOTIFY).flatMap(([name, least]) => {
    const limit = Number(read(`/proc/sys/fs/inotify/${name}`) ?? Infinity);
    return limit < least ? [{ name: `fs.inotify.${name}`, limit, least }] : [];
  });
  if (low.length === 0) return [];
  return [
    {
      title: 'The node of the cluster may watch too few files',
      cause: low.map(({ name, limit, least }) => `${name} is ${limit}; k3s needs at least ${least}`).join('; '),
      remedy: `\`sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288\`, then \`forge up\``,
    },
  ];
}
