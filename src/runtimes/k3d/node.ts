import { setTimeout as delay } from 'node:timers/promises';
import { containersNamed, lastLines, processesIn, type Container } from '../../clients/docker-objects.js';
import { serverError, type ForgeError } from '../../errors.js';
import { readText } from '../../workspace/read-text.js';
import { nodeName } from './name.js';

/** k3s is started by a script, which at first waits for it without end, also when it has ended. */
const STARTING_MS = 10_000;
const LOOK_MS = 3000;

/** Whether Kubernetes itself has ended in a container that still runs. */
export async function hasLostK3s({ id, status, startedAt }: Container, signal: AbortSignal): Promise<boolean> {
  if (status !== 'running' || Date.now() - startedAt.getTime() < STARTING_MS) return false;
  const processes = await processesIn(id, { signal }).catch(() => undefined);
  signal.throwIfAborted();
  return processes !== undefined && !processes.some((line) => /(^|[\s/])k3s(\s|$)/.test(line));
}

/** Runs a command of k3d that waits for the node, and ends it when Kubernetes has ended in there: it would wait on. */
export async function whileK3sLives<T>(name: string, signal: AbortSignal, use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const watch = async (): Promise<void> => {
    for (;;) {
      await delay(LOOK_MS, undefined, { signal: both });
      const [node] = await containersNamed([nodeName(name)], { signal: both }).catch(() => []);
      if (node !== undefined && (await hasLostK3s(node, both)))
        return stop.abort(await notReady(name, 'Kubernetes has ended in its node', signal));
    }
  };
  const watching = watch().catch(() => undefined);
  try {
    return await use(both);
  } finally {
    stop.abort();
    await watching;
  }
}

/** The error for a cluster that does not come up, with the last lines of its node. */
export async function notReady(name: string, why: string, signal: AbortSignal): Promise<ForgeError> {
  const told = await lastLines(nodeName(name), 200, { signal }).catch(() => []);
  // The script in the node repeats these while it waits.
  const lines = told
    .filter((line) => !/couldn't get current server API group list|connection to the server \S+ was refused/.test(line))
    .slice(-15);
  const text = lines.map((line) => `\n  ${line.slice(0, 300)}`).join('');
  return serverError({
    code: 'CLUSTER_NOT_READY',
    message: `The cluster ${name} cannot be used: ${why}${text === '' ? '' : `. The last lines of its node:${text}`}`,
    hint: `${fewWatchers(told)}\`docker logs ${nodeName(name)}\` tells more; \`forge up --recreate\` makes the cluster anew and keeps the data`,
  });
}

/** Linux lets a user watch few files unless it is told otherwise: with some clusters beside each other Kubernetes cannot start. */
function fewWatchers(told: string[]): string {
  const limit = Number(readText('/proc/sys/fs/inotify/max_user_instances') ?? Infinity);
  if (!told.some((line) => /too many open files|inotify/i.test(line)) && limit > 256) return '';
  return `With more than one cluster on this machine: \`sudo sysctl fs.inotify.max_user_instances=1024\` (it is ${limit}). `;
}
