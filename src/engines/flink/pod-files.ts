import type { ExecResult, KubeClient, KubeObject } from '../../clients/kubernetes.js';
import { serverError } from '../../errors.js';
import type { StateFiles } from './state-files.js';

export interface JobManagerPod {
  client: KubeClient;
  namespace: string;
  /** Finds the pod: `app.kubernetes.io/name=flink-jobmanager`. */
  labels: string;
  container: string;
  signal: AbortSignal;
}

type Pod = KubeObject & { status?: { phase?: string } };

/**
 * State on a volume of Flink's pods, seen through the JobManager's. A pod that cannot be asked is an error: taken for no state,
 * the job would write its rows a second time.
 */
export function podStateFiles(pod: JobManagerPod): StateFiles {
  const run = (script: string, ...args: string[]): Promise<string> => inJobManager(pod, ['sh', '-c', script, 'sh', ...args]);
  return {
    async list(folder, name) {
      const text = await run('[ ! -d "$1" ] || find "$1" -ignore_readdir_race -type f -name "$2" -printf "%T@ %p\\n"', folder, name);
      return lines(text).map((line) => {
        const [seconds = '', ...file] = line.split(' ');
        return { file: file.join(' '), time: Number(seconds) * 1000 };
      });
    },
    async read(file) {
      const text = await run('[ ! -e "$1" ] || { echo; cat "$1"; }', file);
      return text === '' ? undefined : text.slice(1);
    },
    async write(file, text) {
      // No secret is among it, so it can be an argument.
      await run('umask 077; mkdir -p "${1%/*}"; printf %s "$2" >"$1.new"; mv "$1.new" "$1"', file, text);
    },
  };
}

async function inJobManager({ client, namespace, labels, container, signal }: JobManagerPod, command: string[]): Promise<string> {
  const { items } = await client.list<Pod>({ apiVersion: 'v1', kind: 'Pod', namespace, labels }, { signal });
  const pod = items.find(({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase === 'Running');
  if (pod === undefined) throw unreadable(`no pod of the JobManager runs in the namespace ${namespace}`);
  const { exitCode, stdout, stderr }: ExecResult = await client.exec({ namespace, pod: pod.metadata.name, container }, command, { signal });
  if (exitCode === 0) return stdout;
  throw unreadable(`a command in pod ${namespace}/${pod.metadata.name} ended with exit code ${exitCode}: ${lines(stderr).at(-1) ?? ''}`);
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const unreadable = (why: string) =>
  serverError({
    code: 'STATE_UNREADABLE',
    message: `The saved state of Flink's jobs cannot be looked at: ${why}`,
    hint: 'See `forge status` and `forge logs flink`, then run the same command again',
  });
