import type { Check } from '../../check.js';
import { plural, span } from '../running.js';
import { jobGone, lookAtFlink, onFlink } from './flink.js';
import { failuresOf } from './job-restarting.js';

/** Without a checkpoint for so many intervals, and at least so long, something is wrong. */
const INTERVALS = 6;
const LEAST_MS = 60_000;

/** Whether the job's checkpoints succeed: rows become visible in Iceberg with them, and a restart begins there. */
export const checkpointsFailing: Check = {
  id: 'checkpoints-failing',
  group: 'engine',
  title: 'The job completes its checkpoints',
  needs: ['flink-slots'],
  concerns: onFlink,
  async look(place) {
    const seen = await lookAtFlink(place);
    const { flink, name, job } = seen;
    if (job === undefined) throw jobGone(name);
    const { fresh, lastAt, ofCheckpoints, checkpoints } = await failuresOf(place, flink, job);
    const { completed, failed, lastCompletedAt, lastFailure } = checkpoints;
    const last = lastCompletedAt === null ? 'none was ever completed' : `the last one was ${span(Date.now() - lastCompletedAt)} ago`;
    const remedy = `Look at the folder .forge/data/flink/jobs/${name} (its disk, who may write there), then \`forge logs flink\``;
    if (ofCheckpoints)
      return [
        {
          component: 'flink',
          title: `Checkpoints of job ${name} fail, and so it starts again`,
          cause: `${plural(fresh.length, 'failure')}, ${last}: ${fresh[0]!.cause}`,
          remedy,
        },
      ];
    if (!job.allTasksRunning) return [];
    const intervalMs = await flink.checkpointInterval(job.id);
    const patience = Math.max(LEAST_MS, INTERVALS * intervalMs);
    if (Date.now() - Math.max(lastCompletedAt ?? 0, job.startedAt, lastAt) < patience) return [];
    return [
      {
        component: 'flink',
        title: `Job ${name} runs, and completes no checkpoint: its rows do not become visible in Iceberg`,
        cause: `One is due every ${span(intervalMs)}, ${last}; ${completed} completed, ${failed} failed${lastFailure === undefined ? '' : ` (${lastFailure})`}`,
        remedy,
      },
    ];
  },
};
