import { setTimeout } from 'node:timers/promises';
import { between, graceOf, hasSettled, lookAtTopic, lookAtViews } from '../pipeline/flow.js';
import { plural, span } from '../running.js';
import type { Check, StackPlace } from '../../check.js';
import { lookAtFlink } from './flink.js';
import { lookAtRisingWave } from './risingwave.js';

const ATTEMPTS = 8;
const PAUSE_MS = 250;
/** So many events that are older than the grace period make it worth a word. */
const MANY = 1000;

/** Events older than the grace period that the engine has not read; undefined when it does not tell. */
export async function unread(place: StackPlace): Promise<number | undefined> {
  const topic = await lookAtTopic(place);
  if (topic.settled === 0) return 0;
  if (place.stack.engine !== 'flink') {
    const { lag } = await lookAtRisingWave(place);
    return lag === null ? undefined : Math.max(0, lag - topic.fresh);
  }
  return place.share('unread', async (signal) => {
    const { flink, job } = await lookAtFlink(place);
    if (job === undefined) return undefined;
    let last: number | undefined;
    // Flink answers with the metrics of before, and fetches new ones only then.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) await setTimeout(PAUSE_MS, undefined, { signal });
      const next = await flink.consumed(job.id, place.pipeline.topic);
      const known = new Map([...topic.ends].filter(([partition]) => next.has(partition)));
      last = known.size === 0 ? undefined : between(next, known, topic.lows);
      if (last === 0) break;
    }
    return last;
  });
}

const nameOf = ({ stack }: StackPlace): string => (stack.engine === 'flink' ? 'Flink' : 'RisingWave');

/** Whether the engine keeps up with the topic. */
export const engineLag: Check = {
  id: 'engine-lag',
  group: 'engine',
  severity: 'warning',
  title: 'The engine keeps up with the events',
  needs: ['kafka-answers', 'job-restarting'],
  unless: ['barriers-stalled'],
  async look(place) {
    if (!(await hasSettled(place))) return [];
    const waiting = await unread(place);
    if (waiting === undefined) throw new Error(`${nameOf(place)} does not tell how far it has read`);
    if (waiting < MANY) return [];
    // Flink's metrics may be old ones on a busy machine: what the views show was read for certain.
    const [topic, views] = await Promise.all([lookAtTopic(place), lookAtViews(place)]);
    const newest = Math.max(0, ...views.map((view) => view.newest?.getTime() ?? 0));
    if ((await topic.since(new Date(newest + 1000))).count < MANY) return [];
    const { engine } = place.stack;
    return [
      {
        component: engine,
        title: `${nameOf(place)} is behind: ${plural(waiting, 'event')} wait for more than ${span(graceOf(place))}`,
        cause: `They are in topic ${place.pipeline.topic} and not read yet: the engine is slower than the events come, or a sink holds it back`,
        remedy: `Let it catch up, or send fewer (\`forge generate events --rate\`); \`forge status\` tells the memory, \`forge logs ${engine}\` the rest`,
      },
    ];
  },
};
