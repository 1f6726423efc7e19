import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { openAccess } from '../../../clients/kubernetes-access.js';
import { podMemory } from '../../../clients/kubernetes-stats.js';
import { componentsOf } from '../../../components/index.js';
import type { Pod } from '../../../runtimes/kubernetes/pod-types.js';
import { kubeTarget } from '../../../runtimes/kubernetes/target.js';
import { isOnKubernetes, type StackContext } from '../../../workspace/context.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { ownPods } from './own-pods.js';
import { ownProcesses } from './own-processes.js';
import { bytesOf } from './quantity.js';

const NEAR = 0.95;
/** There where processes are in control groups of version 2. */
const CGROUPS = '/sys/fs/cgroup/cgroup.controllers';

/** Servers that soon need more memory than they may have: then the kernel kills them. */
export const serverMemory: Check = {
  id: 'server-memory',
  group: 'servers',
  title: 'No server is near its limit of memory',
  severity: 'warning',
  needs: ['cluster-reachable', 'server-down'],
  concerns: ({ stack }) => isOnKubernetes(stack) || existsSync(CGROUPS),
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
  return podsNearLimit(place.stack, pods, await podMemory(access, pods, 'rssBytes', place.signal));
}

/** By what the kubelets tell of pods (`NAMESPACE/NAME`); one that has a limit and is not told of cannot be said to be far from it. */
export function podsNearLimit(
  stack: Pick<StackContext, 'catalog' | 'engine'>,
  pods: readonly Pod[],
  used: ReadonlyMap<string, number>,
): Trouble[] {
  const limited = componentsOf(stack).flatMap(({ name, kubernetes: { namespace } }) =>
    pods.flatMap((pod) => {
      const limit = limitOf(pod);
      const isItsOwn = pod.metadata.namespace === namespace && !/^(Failed|Succeeded)$/.test(pod.status?.phase ?? '');
      return !limit || !isItsOwn ? [] : [{ name, limit, key: `${namespace}/${pod.metadata.name}` }];
    }),
  );
  const troubles = limited.flatMap(({ name, key, limit }) => nearLimit(name, used.get(key) ?? 0, limit, `pod ${key}`));
  return orUnseen(
    troubles,
    limited.filter(({ key }) => !used.has(key)).map(({ key }) => `pod ${key}`),
  );
}

/** Where nothing is wrong with the others, what could not be seen is no server that passed. */
function orUnseen(troubles: Trouble[], unseen: string[]): Trouble[] {
  if (troubles.length === 0 && unseen.length > 0) throw new Error(`nobody tells the memory of ${unseen.join(', ')}`);
  return troubles;
}

/** Undefined where a container may have as much as there is. */
export function limitOf({ spec }: Pod): number | undefined {
  const limits = (spec?.containers ?? []).map(({ resources }) => bytesOf(resources?.limits?.['memory']));
  return limits.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0);
}

/** Only where a server is in another group than forge: its own group, and those above it, are told with the machine. */
async function ofProcesses(place: StackPlace): Promise<Trouble[]> {
  const own = await groupOf('self');
  const running = (await ownProcesses(place)).filter(({ state }) => state === 'running');
  const unseen: string[] = [];
  const found = await Promise.all(
    running.map(async ({ name, component, pid }) => {
      const group = await groupOf(String(pid));
      if (group !== undefined && `${own}/`.startsWith(`${group.replace(/\/$/, '')}/`)) return [];
      const read = (file: string): Promise<string> => readFile(`/sys/fs/cgroup${group}/${file}`, 'utf8').catch(() => '');
      const [limit, used, stat] = await Promise.all([read('memory.max'), read('memory.current'), read('memory.stat')]);
      if (group === undefined || limit === '' || used === '') return void unseen.push(name);
      // What files have in memory is given back when it is needed.
      const files = Number(/^file (\d+)$/m.exec(stat)?.[1] ?? 0);
      return nearLimit(component, Number(used) - files, Number(limit), `the control group of ${name} (${group})`);
    }),
  );
  return orUnseen(
    found.flatMap((one) => one ?? []),
    unseen,
  );
}

const groupOf = async (pid: string): Promise<string | undefined> =>
  /^0::(.+)$/m.exec(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''))?.[1];
