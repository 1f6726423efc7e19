import { describeDifference } from '../../../modules/contract.js';
import { UP, type Check, type TaskFacts } from '../../check.js';
import { onFlink } from './flink.js';

interface JobDrift extends Pick<Check, 'id' | 'title' | 'severity'> {
  /** By what the job's task found: the field that differs, or `missing`. */
  holds: (found: string) => boolean;
  wrong: (job: string) => string;
  remedy: string;
}

/** A check of the job as `forge up --check` sees it: each way of being wrong is a finding of its own. */
function jobDrift({ holds, wrong, remedy, ...check }: JobDrift): Check {
  return {
    ...check,
    group: 'engine',
    seconds: 10,
    concerns: onFlink,
    async look(place) {
      const task = (await place.tasks()).find(({ module }) => module === 'flink.job');
      if (task === undefined) return [];
      if (task.state === 'unknown') throw new Error(`${task.id} could not be seen: ${task.message}`);
      if (!holds(foundOf(task))) return [];
      const { running } = place.pipeline;
      return [
        {
          component: 'flink',
          title: wrong(running.engine === 'flink' ? running.job : task.id),
          cause: [task.message, ...task.diff.map(describeDifference)].filter((text) => text !== '').join(': '),
          remedy,
          fix: UP,
        },
      ];
    },
  };
}

const foundOf = ({ state, diff }: TaskFacts): string => (state === 'missing' ? 'missing' : (diff[0]?.field ?? ''));

export const jobDrifts: readonly Check[] = [
  jobDrift({
    id: 'job-missing',
    title: "The stack's job is submitted",
    holds: (found) => found === 'missing',
    wrong: (job) => `Job ${job} does not run on Flink`,
    remedy: '`forge up` submits it again, from its last checkpoint',
  }),
  jobDrift({
    id: 'job-twice',
    title: 'The job runs once',
    holds: (found) => found === 'jobs',
    wrong: (job) => `Job ${job} runs more than once: tables get every row as often`,
    remedy: '`forge up` ends all but the one whose state counts',
  }),
  jobDrift({
    id: 'job-changed',
    title: "The job runs the stack's SQL",
    holds: (found) => found === 'sql',
    wrong: (job) => `Job ${job} runs other SQL than that of the stack`,
    remedy: '`forge up` stops it with a savepoint and starts the new SQL from there',
  }),
  jobDrift({
    id: 'job-old-tables',
    title: 'The job writes the tables and views that are there',
    holds: (found) => /^(table|view) /.test(found),
    wrong: (job) => `Job ${job} writes tables or views that were replaced since it started`,
    remedy: '`forge up` starts it again with those that are there now, and fills new views from the topic',
  }),
  jobDrift({
    id: 'gateway-left',
    severity: 'warning',
    title: 'No SQL gateway is left running',
    holds: (found) => found === 'SQL gateway',
    wrong: () => "Flink's SQL gateway still runs, and takes memory",
    remedy: '`forge up` stops it',
  }),
];
