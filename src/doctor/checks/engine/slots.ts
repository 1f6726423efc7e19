import { hasEnded } from '../../../clients/flink.js';
import { UP, type Check } from '../../check.js';
import { plural } from '../running.js';
import { lookAtFlink, onFlink } from './flink.js';

/** Whether Flink has room for the job: a TaskManager that has registered, and a free slot where the job waits for one. */
export const flinkSlots: Check = {
  id: 'flink-slots',
  group: 'engine',
  title: 'Flink has a TaskManager, and a slot for the job',
  concerns: onFlink,
  async look(place) {
    const { flink, name, jobs, job } = await lookAtFlink(place);
    const { taskManagers, slots, slotsAvailable } = await flink.overview();
    if (taskManagers === 0)
      return [
        {
          component: 'flink',
          title: 'Flink has no TaskManager: no job can run',
          cause: `The JobManager on ${place.stack.endpoints['flink']!.url} knows of none: it died, or cannot reach the JobManager`,
          remedy: '`forge up` starts it; `forge logs flink` tells what it says',
          fix: UP,
        },
      ];
    if (slotsAvailable > 0 || job === undefined || job.allTasksRunning) return [];
    const others = jobs.filter((other) => other.id !== job.id && !hasEnded(other));
    // Its own tasks hold a slot while they start.
    if (others.length === 0) return [];
    return [
      {
        component: 'flink',
        title: `Job ${name} waits for a slot: all ${slots} are taken`,
        cause: `Other jobs hold them: ${others.map((other) => `${other.name} (${other.id})`).join(', ')} on ${plural(taskManagers, 'TaskManager')}`,
        remedy: `End a job that is not needed: curl -X PATCH ${place.stack.endpoints['flink']!.url}/jobs/${others[0]!.id}`,
      },
    ];
  },
};
