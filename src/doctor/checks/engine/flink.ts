import { flinkClient, hasEnded, type FlinkClient, type FlinkJob } from '../../../clients/flink.js';
import { Behind, type StackPlace } from '../../check.js';
import { requireRunning } from '../running.js';

export const onFlink = ({ stack }: StackPlace): boolean => stack.engine === 'flink';

export interface FlinkLook {
  flink: FlinkClient;
  /** As the stack calls its job. */
  name: string;
  /** Every job of the cluster. */
  jobs: FlinkJob[];
  /** The stack's own that runs, or tries to. */
  job: FlinkJob | undefined;
}

/** The jobs of the stack's Flink, looked at once. Throws when Flink does not run. */
export async function lookAtFlink(place: StackPlace): Promise<FlinkLook> {
  await requireRunning(place, 'flink');
  return place.share('flink', async (signal) => {
    const flink = flinkClient(place.stack.endpoints['flink']!.url, signal);
    const { running } = place.pipeline;
    const name = running.engine === 'flink' ? running.job : '';
    const jobs = await flink.jobs();
    return { flink, name, jobs, job: jobs.find((job) => job.name === name && !hasEnded(job)) };
  });
}

/** For checks of a job: there is none to look at. */
export const jobGone = (name: string): Behind => new Behind('job-missing', `needs job ${name}, which does not run`);
