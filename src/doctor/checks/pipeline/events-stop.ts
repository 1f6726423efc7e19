import { readTopic } from '../../../clients/kafka-read.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { unread } from '../engine/lag.js';
import { lookAtFlink } from '../engine/flink.js';
import { plural, span } from '../running.js';
import { graceOf, hasSettled, jobStart, lastCommits, lookAtTopic, lookAtViews, type TopicLook, type ViewLook } from './flow.js';

/** Reading stops at so many records of a partition: enough to tell. */
const MOST_READ = 200n;
/** Fewer may be odd in a way that forge does not know. */
const ENOUGH = 3;

/** Where along topic, job, views and tables do events stop? */
export const eventsStop: Check = {
  id: 'events-stop',
  group: 'pipeline',
  title: 'Events reach the views and the tables',
  seconds: 10,
  needs: [
    ...['topic-missing', 'table-missing', 'view-missing', 'view-columns', 'job-missing', 'job-restarting', 'checkpoints-failing'],
    ...['risingwave-objects', 'sink-failing', 'table-commits'],
  ],
  unless: ['barriers-stalled', 'engine-lag'],
  async look(place) {
    if (!(await hasSettled(place))) return [];
    const topic = await lookAtTopic(place);
    if (topic.settled === 0) return [];
    const waiting = await unread(place);
    const { name } = place.pipeline.running.engine === 'flink' ? await lookAtFlink(place) : { name: 'RisingWave' };
    const where = (seen: string, next: string, cause: string): Trouble[] => [
      {
        component: place.stack.engine,
        title: `Events stop between ${seen} and ${next}`,
        cause,
        remedy: `\`forge verify\` follows them leg by leg; \`forge logs ${place.stack.engine}\` tells what the engine says`,
      },
    ];
    const [views, commits] = await Promise.all([lookAtViews(place), lastCommits(place)]);
    for (const view of views) {
      const lacking = await lackedBy(place, topic, view);
      if (lacking < ENOUGH) continue;
      const old = `${plural(topic.settled, 'event')} that are older than ${span(graceOf(place))}`;
      const holds = `Topic ${place.pipeline.topic} holds ${old}`;
      if (waiting !== undefined && waiting > 0)
        return where(`topic ${place.pipeline.topic}`, name, `${holds}; ${waiting} of them are not read`);
      const newest = view.newest === undefined ? 'it is empty' : `its newest is of ${view.newest.toISOString()}`;
      // An engine that does not tell what it has read may be behind as well.
      const [seen, has] = waiting === undefined ? [`topic ${place.pipeline.topic}`, holds] : [name, `${name} has read all ${old}`];
      const cause = `${has}, and ${view.name} lacks at least ${lacking} of them: ${newest}`;
      const holding = commits.find(({ rows }) => rows > 0);
      if (holding === undefined) return where(seen, `view ${view.name}`, cause);
      // Events did pass, so the view was emptied or made anew since: it fills again.
      return [
        {
          component: place.stack.engine,
          severity: 'warning',
          title: `View ${view.name} lacks events that the tables have`,
          cause: `${cause}; table ${holding.name} has ${plural(holding.rows, 'row')}`,
          remedy: 'It was emptied or made anew: rows come back with the next event of each key (`forge generate events`)',
        },
      ];
    }
    const empty = commits.filter(({ rows }) => rows === 0);
    if (empty.length === 0 || views.every(({ rows }) => rows === 0)) return [];
    // A table that was made anew holds rows from then on.
    const { count } = await topic.since(await jobStart(place));
    const seen = views.find(({ rows }) => rows > 0)!;
    if (count < ENOUGH || (seen.newest ?? topic.before) >= topic.before) return [];
    const names = empty.map((table) => table.name).join(', ');
    return where(
      `view ${seen.name}`,
      `table ${names}`,
      `${seen.name} has ${plural(seen.rows, 'row')}, ${plural(count, 'event')} came since the job started, and ${names} has no row`,
    );
  },
};

/** Events older than the grace period that a view should have shown: complete ones, which are read from the topic. */
const lackedBy = (place: StackPlace, topic: TopicLook, view: ViewLook): Promise<number> =>
  view.newest !== undefined && view.newest >= topic.before
    ? Promise.resolve(0)
    : place.share(`lacked by ${view.name}`, (signal) => countLacking({ ...place, signal }, topic, view));

async function countLacking(place: StackPlace, topic: TopicLook, { newest }: ViewLook): Promise<number> {
  const { count, from } = await topic.since(new Date(newest === undefined ? 0 : newest.getTime() + 1000));
  if (count < ENOUGH) return 0;
  let complete = 0;
  const start = new Map([...topic.ends].map(([partition, end]) => [partition, later(from.get(partition) ?? 0n, end - MOST_READ)]));
  await readTopic(place.stack.endpoints['kafka']!.url, place.pipeline.topic, {
    from: start,
    until: topic.ends,
    signal: place.signal,
    onMessage: ({ value }) => {
      if (isComplete(value, newest ?? new Date(0), topic.before)) complete += 1;
    },
  });
  return complete;
}

const later = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** Whether a record is an event that a view shows: nothing in it is null, and its time is one that could be. */
function isComplete(value: string, after: Date, before: Date): boolean {
  try {
    const event = JSON.parse(value) as Record<string, unknown> | null;
    if (event === null || typeof event['event_ts'] !== 'string') return false;
    // `forge verify --probe` takes its events out of the views.
    if (Object.values(event).some((part) => part === null || (typeof part === 'string' && part.startsWith('forge-probe-')))) return false;
    const at = Date.parse(event['event_ts']);
    return at > after.getTime() && at < before.getTime();
  } catch {
    return false;
  }
}
