import { describeDifference } from '../modules/contract.js';
import { UP, type Check, type StackPlace, type TaskFacts, type Trouble } from './check.js';

export interface DriftCheck extends Pick<Check, 'id' | 'group' | 'title' | 'severity' | 'needs'> {
  /** Modules whose tasks it is about. */
  modules: readonly string[];
  component?: string;
  /** Only such tasks: those that are missing, or those that differ. Both when left out. */
  state?: 'missing' | 'drifted';
  /** What is wrong with these tasks, in one line. */
  wrong: (tasks: TaskFacts[]) => string;
}

const differences = ({ message, diff }: TaskFacts): string =>
  [message, ...diff.map(describeDifference)].filter((text) => text !== '').join(': ');

/** A check of what the playbooks want, as `forge up --check` sees it: one finding for all tasks of these modules. */
export function driftCheck({ modules, component, state, wrong, ...check }: DriftCheck): Check {
  const own = async (place: StackPlace): Promise<TaskFacts[]> => (await place.tasks()).filter((task) => modules.includes(task.module));
  return {
    ...check,
    seconds: 10,
    async look(place): Promise<Trouble[]> {
      const tasks = await own(place);
      const differing = tasks.filter((task) =>
        state === undefined ? task.state === 'missing' || task.state === 'drifted' : task.state === state,
      );
      if (differing.length > 0)
        return [
          {
            ...(component === undefined ? {} : { component }),
            title: wrong(differing),
            cause: differing.map((task) => `${task.id}: ${differences(task) || task.state}`).join('; '),
            remedy: '`forge up` makes it as it should be',
            fix: UP,
          },
        ];
      const unseen = tasks.find((task) => task.state === 'unknown');
      if (unseen !== undefined) throw new Error(`${unseen.id} could not be seen: ${unseen.message}`);
      return [];
    },
  };
}
