import { setTimeout as delay } from 'node:timers/promises';
import { isKubeError, type KubeClient } from '../../clients/kubernetes.js';
import { isPassing } from '../../clients/kubernetes-error.js';
import type { PodRef } from '../../clients/kubernetes-types.js';
import { containersOf, type Pod } from './pod-types.js';

export interface PodLogOptions {
  /** Only from this moment on. */
  since?: Date | undefined;
  /** Only the last so many lines of each container. */
  lines?: number | undefined;
  signal: AbortSignal;
}

/** One container whose log is shown. */
export interface LogSource extends PodRef {
  container: string;
  /** What its lines are called: the pod, and the container where it has several. */
  name: string;
  /** It was started again a moment ago: what its forerunner said last is of interest too. */
  restarted: boolean;
}

/** A restart is told for so long. */
const FRESH_MS = 300_000;
/** The client takes no more at once. */
const CHUNK_BYTES = 4 * 1024 * 1024;
const AGAIN_MS = 500;

/** The containers of a pod that have run or run; init containers only while they matter: as they run, or when they failed. */
export function sourcesOf(pod: Pod, now = Date.now()): LogSource[] {
  const { namespace = '', name } = pod.metadata;
  const init = new Set((pod.status?.initContainerStatuses ?? []).map((status) => status.name));
  const shown = containersOf(pod).filter((status) => !init.has(status.name) || status.state?.terminated?.exitCode !== 0);
  return shown
    .filter(({ state, lastState }) => state?.waiting === undefined || lastState?.terminated !== undefined)
    .map(({ name: container, state, lastState, restartCount }) => {
      const started = Date.parse(state?.running?.startedAt ?? '');
      // While a container waits to be started again, its log is still that of its forerunner.
      const waits = state?.waiting !== undefined;
      const restarted = restartCount > 0 && lastState?.terminated !== undefined && !waits && !(now - started > FRESH_MS);
      return { namespace, pod: name, container, name: shown.length > 1 ? `${name}/${container}` : name, restarted };
    });
}

/** The log of a container as it is now, oldest line first, its forerunner's before it when it has just been started again. */
export async function storedLines(client: KubeClient, source: LogSource, options: PodLogOptions): Promise<string[]> {
  const all = [...(await previousLines(client, source, options)), ...(await stored(client, source, options))];
  return options.lines === undefined ? all : all.slice(all.length - Math.min(options.lines, all.length));
}

/** What the forerunner of a container that was just started again said last. */
export const previousLines = async (client: KubeClient, source: LogSource, options: PodLogOptions): Promise<string[]> =>
  source.restarted ? stored(client, source, { ...options, previous: true }) : [];

async function stored(client: KubeClient, ref: PodRef, options: PodLogOptions & { previous?: boolean }): Promise<string[]> {
  const { since, lines, previous = false, signal } = options;
  const out: string[] = [];
  let last = momentOf(since?.toISOString() ?? '');
  for (let first = true; ; first = false) {
    const tail = first && lines !== undefined ? { tailLines: lines } : {};
    const from = last === '' ? {} : { sinceSeconds: secondsSince(last) };
    const text = (await client.logs(ref, { timestamps: true, previous, signal, ...tail, ...from })) ?? '';
    const part = text
      .split('\n')
      .map((line) => stamped(line))
      .filter((line) => line !== undefined)
      .filter(({ moment }) => moment > last);
    out.push(...part.map(({ line }) => line));
    last = part.at(-1)?.moment ?? last;
    if (text.length < CHUNK_BYTES / 2 || part.length === 0) return out;
  }
}

/**
 * Gives the lines of a container as they come, also of those that follow it in the same pod, until the pod is gone. A connection
 * that breaks off is taken up where it was.
 */
export async function* followLines(client: KubeClient, source: LogSource, options: PodLogOptions): AsyncGenerator<string> {
  const { signal, since, lines } = options;
  let last = momentOf(since?.toISOString() ?? '');
  const isEnded = (): boolean => signal.aborted;
  for (let heard = since !== undefined; !isEnded();) {
    const from = heard ? { sinceSeconds: secondsSince(last) } : lines === undefined ? {} : { tailLines: lines };
    try {
      for await (const text of client.followLogs(source, { timestamps: true, signal, ...from })) {
        const line = stamped(text);
        if (line === undefined || line.moment <= last) continue;
        [last, heard] = [line.moment, true];
        yield line.line;
      }
    } catch (error) {
      if (isEnded() || isKubeError(error, 404)) return;
      // 400: the container that comes next has not started yet.
      if (!isPassing(error) && !isKubeError(error, 400)) throw error;
    }
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** A line as the kubelet gives it with its moment: `2026-11-21T12:40:01.123456789Z text`. */
function stamped(text: string): { moment: string; line: string } | undefined {
  const end = text.indexOf(' ');
  const moment = momentOf(end < 0 ? text : text.slice(0, end));
  return moment === '' ? undefined : { moment, line: end < 0 ? '' : text.slice(end + 1) };
}

/** Moments in one form that sorts as text: nodes have time zones, and fractions more digits than a Date. Empty for what is none. */
function momentOf(text: string): string {
  const [, seconds, fraction = '', zone] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (seconds === undefined || zone === undefined) return '';
  return `${new Date(seconds + zone).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}`;
}

const secondsSince = (moment: string): number => Math.max(1, Math.ceil((Date.now() - Date.parse(`${moment.slice(0, 19)}Z`)) / 1000) + 1);
