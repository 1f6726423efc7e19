import type { FlinkCheckpoints, FlinkClient, FlinkFailure, FlinkJob } from '../../../clients/flink.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { plural, span } from '../running.js';
import { culpritOf } from './culprit.js';
import { jobGone, lookAtFlink, onFlink } from './flink.js';

/** How long a job may take to start, and how long a failure counts that no checkpoint has followed. */
const RECENT_MS = 120_000;

/** So often in so long is no accident, also when the job recovers each time; what fails within one pause is one failure. */
const REPEATED = { times: 3, withinMs: 600_000, pauseMs: 15_000 };

interface Failures {
  /** The newest ten, the newest first. */
  all: FlinkFailure[];
  /** Those since the last checkpoint: the job has not recovered from them for certain. The newest first. */
  fresh: FlinkFailure[];
  /** When it failed last, whether it recovered or not. */
  lastAt: number;
  /** Whether it is its own checkpoints that fail, and no server behind them. */
  ofCheckpoints: boolean;
  checkpoints: FlinkCheckpoints;
}

export function failuresOf(place: StackPlace, flink: FlinkClient, job: FlinkJob): Promise<Failures> {
  return place.share('flink-failures', async () => {
    const [all, checkpoints] = await Promise.all([flink.failures(job.id, 10), flink.checkpoints(job.id)]);
    const since = Math.max(checkpoints.lastCompletedAt ?? 0, Date.now() - RECENT_MS);
    const fresh = all.filter(({ at }) => at.getTime() > since);
    const ofCheckpoints = fresh.some(({ ofCheckpoint, cause }) => ofCheckpoint && culpritOf(cause, place.stack) === undefined);
    return { all, fresh, lastAt: all[0]?.at.getTime() ?? 0, ofCheckpoints, checkpoints };
  });
}

/**
 * The failures of a job that recovers each time and yet does not stay up: its own ones only, as those that another server
 * caused end with that server's trouble. One entry per failure, the newest first; nothing when they are too few or long past.
 */
export function repeatedFailures(all: readonly FlinkFailure[], stack: StackPlace['stack'], now = Date.now()): FlinkFailure[] {
  const own = all.filter(({ at, cause }) => {
    const culprit = culpritOf(cause, stack);
    return now - at.getTime() < REPEATED.withinMs && (culprit === undefined || culprit === 'flink');
  });
  const apart = own.filter(({ at }, index) => index === 0 || own[index - 1]!.at.getTime() - at.getTime() > REPEATED.pauseMs);
  return apart.length >= REPEATED.times && now - apart[0]!.at.getTime() < REPEATED.withinMs / 2 ? apart : [];
}

/** Whether the job is up, or fails over and over, and what is behind it. */
export const jobRestarting: Check = {
  id: 'job-restarting',
  group: 'engine',
  title: 'All tasks of the job run, and have not failed lately',
  needs: ['flink-slots'],
  concerns: onFlink,
  async look(place): Promise<Trouble[]> {
    const seen = await lookAtFlink(place);
    const { flink, name, job } = seen;
    if (job === undefined) throw jobGone(name);
    const { all, fresh, ofCheckpoints } = await failuresOf(place, flink, job);
    // A finding of its own: checkpoints-failing.
    if (ofCheckpoints) return [];
    const remedy = '`forge up` mends what it needs, and Flink tries again by itself; `forge logs flink` tells more';
    const [newest] = fresh;
    if (newest !== undefined) {
      const culprit = culpritOf(newest.cause, place.stack);
      const title = job.allTasksRunning
        ? `Job ${name} started again ${span(Date.now() - newest.at.getTime())} ago`
        : `Job ${name} fails and starts again, over and over`;
      const behind = culprit === undefined || culprit === 'flink' ? '' : ` (${culprit} is behind it)`;
      return [
        {
          component: culprit ?? 'flink',
          severity: job.allTasksRunning ? 'warning' : 'error',
          title,
          cause: `${plural(fresh.length, 'failure')} since its last checkpoint, the newest${behind}: ${newest.cause}`,
          remedy,
        },
      ];
    }
    const repeated = job.allTasksRunning ? repeatedFailures(all, place.stack) : [];
    if (repeated.length > 0)
      return [
        {
          component: 'flink',
          severity: 'warning',
          title: `Job ${name} recovers, and does not stay up: it failed ${repeated.length} times in ${span(Date.now() - repeated.at(-1)!.at.getTime())}`,
          cause: `The newest failure, ${span(Date.now() - repeated[0]!.at.getTime())} ago: ${repeated[0]!.cause}`,
          remedy: `See \`forge logs flink\` at that time; where memory lacks, raise components.flink.taskmanagerHeap in forge.yaml, then \`forge up\``,
        },
      ];
    if (job.allTasksRunning || Date.now() - job.startedAt < RECENT_MS) return [];
    const cause = await flink.lastFailure(job.id);
    return [
      {
        component: (cause === undefined ? undefined : culpritOf(cause, place.stack)) ?? 'flink',
        title: `Job ${name} does not come up: it is ${job.status.toLowerCase()}, and not all of its tasks run`,
        cause: cause ?? `It was submitted ${span(Date.now() - job.startedAt)} ago, and Flink tells no failure`,
        remedy,
      },
    ];
  },
};
