import { describeDifference } from '../../../modules/contract.js';
import { UP, type Check } from '../../check.js';

const MODULES = ['k3d.cluster', 'process', 'k8s.apply'];
/** That the cluster is not ready, or that somebody else has a server's port, is told by checks of their own. */
const TOLD_ELSEWHERE = ['port', 'state', 'kubeconfig'];

/** Servers that run with what was configured once and is not any more. */
export const serverSettings: Check = {
  id: 'server-settings',
  group: 'servers',
  title: 'Every server runs with the settings of the stack',
  seconds: 10,
  needs: ['cluster-reachable', 'server-down'],
  async look(place) {
    const tasks = (await place.tasks()).filter(({ module }) => MODULES.includes(module));
    const drifted = tasks.filter(({ state, diff }) => state === 'drifted' && !diff.every(({ field }) => TOLD_ELSEWHERE.includes(field)));
    if (drifted.length > 0)
      return [
        {
          ...(drifted.length === 1 && drifted[0]!.module === 'process' ? { component: drifted[0]!.id } : {}),
          title: `${drifted.map(({ id }) => id).join(', ')}: other settings than those of the stack`,
          cause: drifted.map(({ id, message, diff }) => `${id}: ${[message, ...diff.map(describeDifference)].join('; ')}`).join('; '),
          remedy: '`forge up` restarts what runs with other settings, and nothing else',
          fix: UP,
        },
      ];
    const unseen = tasks.find(({ state }) => state === 'unknown');
    if (unseen !== undefined) throw new Error(`${unseen.id} could not be seen: ${unseen.message}`);
    return [];
  },
};
