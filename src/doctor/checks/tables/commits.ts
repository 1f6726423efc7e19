import type { Check } from '../../check.js';
import { plural, span } from '../running.js';
import { hasSettled, jobStart, lastCommits, lookAtTopic, lookAtViews } from '../pipeline/flow.js';

/** Whether tables of running totals get snapshots while events flow: an event older than the grace period is in one by now. */
export const tableCommits: Check = {
  id: 'table-commits',
  group: 'tables',
  title: 'Tables are committed to while events flow',
  needs: ['kafka-answers', 'catalog-answers', 'job-restarting', 'checkpoints-failing', 'sink-failing'],
  unless: ['barriers-stalled'],
  async look(place) {
    if (!(await hasSettled(place))) return [];
    const [topic, commits, views, start] = await Promise.all([lookAtTopic(place), lastCommits(place), lookAtViews(place), jobStart(place)]);
    const since = (at: Date | undefined): Date => (at === undefined || at < start ? start : at);
    // An event that is in no view may be none that counts, such as one without a player.
    const newest = Math.max(0, ...views.map((view) => view.newest?.getTime() ?? 0));
    const suspects = commits.filter(({ at }) => newest > since(at).getTime() && since(at) < topic.before);
    const late: string[] = [];
    for (const { name, at } of suspects) {
      const { count } = await topic.since(since(at));
      const when = at === undefined ? 'was never committed to' : `was last committed to ${span(Date.now() - at.getTime())} ago`;
      if (count > 0) late.push(`${name} ${when}, and ${plural(count, 'event')} came since`);
    }
    if (late.length === 0) return [];
    return [
      {
        component: place.stack.engine,
        title: `Events reach the views, and ${late.length === commits.length ? 'no Iceberg table gets a new snapshot' : 'not every Iceberg table'}`,
        cause: late.join('; '),
        remedy: `See \`forge logs ${place.stack.engine}\` for errors of the Iceberg sinks; \`forge up --check\` tells what differs`,
      },
    ];
  },
};
