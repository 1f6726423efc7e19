import { componentsOf } from '../../../components/index.js';
import { endOf } from '../../../runtimes/kubernetes/pods.js';
import type { ContainerStatus, Pod } from '../../../runtimes/kubernetes/pod-types.js';
import { isOnKubernetes } from '../../../workspace/context.js';
import type { Check, Trouble } from '../../check.js';
import { ownPods } from './own-pods.js';

const RECENT_MS = 30 * 60_000;
/** 255: the node itself was stopped; 137 and 143: it was told to end. That is no failure of the server. */
const TOLD_TO_END = [0, 137, 143, 255];

/** Servers that serve now, and broke down a while ago: they will again. */
export const podRestarted: Check = {
  id: 'pod-restarted',
  group: 'servers',
  title: 'No server has broken down in the last half hour',
  severity: 'warning',
  needs: ['cluster-reachable', 'pod-failed'],
  concerns: ({ stack }) => isOnKubernetes(stack),
  async look(place) {
    const pods = await ownPods(place);
    return componentsOf(place.stack).flatMap(({ name, kubernetes: { namespace } }) =>
      pods.filter(({ metadata }) => metadata.namespace === namespace).flatMap((pod) => breakdownOf(name, pod, Date.now())),
    );
  },
};

/** The finding of a pod one of whose containers ended badly lately and runs again. */
export function breakdownOf(component: string, pod: Pod, now: number): Trouble[] {
  const broken = (pod.status?.containerStatuses ?? []).find((status) => isBreakdown(status, now));
  const last = broken?.lastState?.terminated;
  if (broken === undefined || last === undefined) return [];
  const { namespace = '', name } = pod.metadata;
  const isMemory = last.reason === 'OOMKilled';
  return [
    {
      component,
      title: `${component} broke down and was started again: ${endOf(last)}`,
      cause: `Pod ${namespace}/${name}, container ${broken.name}, ended at ${last.finishedAt ?? 'an unknown time'} with ${endOf(last)}; restarts: ${broken.restartCount}`,
      remedy: isMemory
        ? `It needs more memory than it may have: raise its memory under \`components\` in forge.yaml, then \`forge up\``
        : `\`kubectl -n ${namespace} logs ${name} -c ${broken.name} --previous\` shows its last words`,
    },
  ];
}

function isBreakdown({ lastState }: ContainerStatus, now: number): boolean {
  const last = lastState?.terminated;
  if (last === undefined || !(now - Date.parse(last.finishedAt ?? '') < RECENT_MS)) return false;
  return last.reason === 'OOMKilled' || !TOLD_TO_END.includes(last.exitCode);
}
