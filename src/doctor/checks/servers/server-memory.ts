import { readFile } from 'node:fs/promises';
import { openAccess } from '../../../clients/kubernetes-access.js';
import { podMemory } from '../../../clients/kubernetes-stats.js';
import { componentsOf } from '../../../components/index.js';
import type { Pod } from '../../../runtimes/kubernetes/pod-types.js';
import { kubeTarget } from '../../../runtimes/kubernetes/target.js';
import { isOnKubernetes } from '../../../workspace/context.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { ownPods } from './own-pods.js';
import { ownProcesses } from './own-processes.js';
import { bytesOf } from './quantity.js';

const NEAR = 0.95;

/** Servers that soon need more memory than they may have: then the kernel kills them. */
export const serverMemory: Check = {
  id: 'server-memory',
  group: 'servers',
  title: 'No server is near its limit of memory',
  severity: 'warning',
  needs: ['cluster-reachable', 'server-down'],
  look: (place) => (isOnKubernetes(place.stack) ? ofPods(place) : ofProcesses(place)),
};

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

/** The finding of a server that uses so much of so much. */
export function nearLimit(component: string, used: number, limit: number, whose: string): Trouble[] {
  if (!(limit > 0) || limit === Infinity || used < limit * NEAR) return [];
  return [
    {
      component,
      title: `${component} is near its limit of memory`,
      cause: `It uses ${mebibytes(used)} of the ${mebibytes(limit)} that ${whose} may have; beyond it the kernel kills it`,
      remedy: `Raise its memory under \`components\` in forge.yaml, then \`forge up\``,
    },
  ];
}

async function ofPods(place: StackPlace): Promise<Trouble[]> {
  const [pods, access] = await Promise.all([ownPods(place), openAccess(kubeTarget(place.stack))]);
  const used = await podMemory(access, pods, 'rssBytes', place.signal);
  return componentsOf(place.stack).flatMap(({ name, kubernetes }) =>
    pods
      .filter(({ metadata }) => metadata.namespace === kubernetes.namespace)
      .flatMap((pod) => {
        const key = `${kubernetes.namespace}/${pod.metadata.name}`;
        return nearLimit(name, used.get(key) ?? 0, limitOf(pod) ?? Infinity, `pod ${key}`);
      }),
  );
}

/** Undefined where a container may have as much as there is. */
export function limitOf({ spec }: Pod): number | undefined {
  const limits = (spec?.containers ?? []).map(({ resources }) => bytesOf(resources?.limits?.['memory']));
  return limits.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0);
}

/** Linux, cgroups of version 2, and only where a server is in another group than forge: its own group is told with the machine. */
async function ofProcesses(place: StackPlace): Promise<Trouble[]> {
  const own = await groupOf('self');
  const running = (await ownProcesses(place)).filter(({ state }) => state === 'running');
  const found = await Promise.all(
    running.map(async ({ name, component, pid }) => {
      const group = pid === undefined ? undefined : await groupOf(String(pid));
      if (group === undefined || group === own) return [];
      const read = (file: string): Promise<string> => readFile(`/sys/fs/cgroup${group}/${file}`, 'utf8').catch(() => '');
      const [limit, used, stat] = await Promise.all([read('memory.max'), read('memory.current'), read('memory.stat')]);
      // What files have in memory is given back when it is needed.
      const files = Number(/^file (\d+)$/m.exec(stat)?.[1] ?? 0);
      return nearLimit(component, Number(used) - files, Number(limit), `the control group of ${name} (${group})`);
    }),
  );
  return found.flat();
}

const groupOf = async (pid: string): Promise<string | undefined> =>
  /^0::(.+)$/m.exec(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''))?.[1];
