import { driftCheck } from '../../drift.js';
import type { Check } from '../../check.js';

const drift = driftCheck({
  id: 'topic-settings',
  group: 'kafka',
  title: 'The topic has its partitions and settings',
  modules: ['kafka.topic'],
  needs: ['kafka-answers', 'kafka-advertised', 'topic-missing'],
  component: 'kafka',
  state: 'drifted',
  wrong: () => 'The topic has other settings than those of the stack',
});

/** As `forge up --check` sees it; but partitions that are too many cannot be taken away, and `up` refuses to. */
export const topicSettings: Check = {
  ...drift,
  async look(place) {
    const troubles = await drift.look(place);
    const tasks = (await place.tasks()).filter(({ module }) => module === 'kafka.topic');
    const partitions = tasks.flatMap(({ diff }) => diff).find(({ field }) => field === 'partitions');
    if (partitions === undefined || Number(partitions.is) <= Number(partitions.should)) return troubles;
    const remedy = `Set topic.partitions to ${partitions.is} in forge.yaml: Kafka cannot take partitions away. Or delete the topic, with its events, and run \`forge up\``;
    return troubles.map(({ fix: _, ...trouble }) => ({ ...trouble, remedy }));
  },
};
