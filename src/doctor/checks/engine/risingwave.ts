import { healthOf, type EngineHealth } from '../../../engines/risingwave/health.js';
import { withRisingWave } from '../../../engines/risingwave/connect.js';
import { UP, type Check, type StackPlace } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { stillFailing } from '../../job.js';
import { lastCommits } from '../pipeline/flow.js';
import { plural, requireRunning, span } from '../running.js';

const onRisingWave = ({ stack }: StackPlace): boolean => stack.engine === 'risingwave';

/** What RisingWave says of itself. Throws when it does not run. */
export async function lookAtRisingWave(place: StackPlace): Promise<EngineHealth> {
  await requireRunning(place, 'risingwave');
  const { running } = place.pipeline;
  return place.share('risingwave', (signal) =>
    withRisingWave(place.stack, (client) => healthOf(client, running.engine === 'risingwave' ? running.objects : []), signal),
  );
}

const drift = driftCheck({
  id: 'risingwave-objects',
  group: 'engine',
  title: 'Sources, views and sinks are those of the stack',
  modules: ['risingwave.source', 'risingwave.view', 'risingwave.sink'],
  component: 'risingwave',
  wrong: (tasks) =>
    tasks.every(({ state }) => state === 'missing')
      ? `RisingWave lacks ${plural(tasks.length, 'object')} of the stack`
      : `${plural(tasks.length, 'object')} in RisingWave differ${tasks.length === 1 ? 's' : ''} from what the stack wants`,
});

/** Objects that are missing, or have other SQL. */
export const risingwaveObjects: Check = { ...drift, concerns: onRisingWave };

/** Workers that do not run, and objects that RisingWave has not finished. */
export const risingwaveHealth: Check = {
  id: 'risingwave-health',
  group: 'engine',
  title: 'RisingWave has its workers, and has made every object',
  needs: ['risingwave-objects'],
  concerns: onRisingWave,
  async look(place) {
    const { problems } = await lookAtRisingWave(place);
    if (problems.length === 0) return [];
    return [
      {
        component: 'risingwave',
        title: `RisingWave does not run as it should: ${problems[0]}`,
        cause: problems.join('; '),
        remedy: '`forge up` starts what is missing; an object that is being made needs time: `forge logs risingwave`',
        fix: UP,
      },
    ];
  },
};

/** One is due every second (barrier_interval_ms); behind a source or a sink that hangs they wait for minutes. */
const BARRIER_MS = 60_000;

/** Whether barriers go through: rows become visible in views and tables with them, and a restart begins there. */
export const barriersStalled: Check = {
  id: 'barriers-stalled',
  group: 'engine',
  title: 'RisingWave completes its barriers',
  needs: ['risingwave-health'],
  concerns: onRisingWave,
  async look(place) {
    const { barrierAt } = await lookAtRisingWave(place);
    // A server of moments ago has none yet; one whose log of events is off never tells.
    if (barrierAt === null) throw new Error('RisingWave does not tell of any barrier that it has completed');
    if (Date.now() - barrierAt.getTime() < BARRIER_MS) return [];
    return [
      {
        component: 'risingwave',
        title: 'RisingWave completes no barrier: rows become visible neither in its views nor in Iceberg',
        cause: `One is due every second, and the newest was completed ${span(Date.now() - barrierAt.getTime())} ago: an actor hangs, or waits for Kafka or for a sink`,
        remedy: '`forge logs risingwave` names it; RisingWave recovers by itself once that goes on, or after `forge up` has mended it',
        fix: UP,
      },
    ];
  },
};

/** Sinks that have failed and written nothing since. */
export const sinkFailing: Check = {
  id: 'sink-failing',
  group: 'engine',
  title: 'Every sink writes to its table',
  needs: ['risingwave-health'],
  concerns: onRisingWave,
  async look(place) {
    const { failures } = await lookAtRisingWave(place);
    if (failures.length === 0) return [];
    const commits = await lastCommits(place);
    const failing = await stillFailing(failures, (sink) => Promise.resolve(commits.find(({ name }) => name === sink)?.at));
    return failing.map(({ sink, at, error }) => ({
      component: 'risingwave',
      title: `Sink ${sink} fails: its Iceberg table gets no rows`,
      cause: `${span(Date.now() - at.getTime())} ago: ${error}`,
      remedy: `Mend what the error names (catalog, bucket, keys), then \`forge up\`; the table is ${sink}`,
    }));
  },
};
