import { messageOf } from '../../../errors.js';
import type { Check } from '../../check.js';
import { requireServing } from '../servers/unwell.js';
import { kafkaFacts } from './facts.js';

/** The broker itself, whatever it tells its clients. */
export const kafkaAnswers: Check = {
  id: 'kafka-answers',
  group: 'kafka',
  title: 'Kafka answers',
  needs: ['cluster-reachable'],
  seconds: 12,
  async look(place) {
    try {
      await kafkaFacts(place);
      return [];
    } catch (error) {
      place.signal.throwIfAborted();
      await requireServing(place, 'kafka');
      return [
        {
          component: 'kafka',
          title: 'Kafka does not answer as it should',
          cause: messageOf(error),
          remedy: 'See `forge logs kafka` and `forge status`; `forge up` restarts a broker that does not serve',
        },
      ];
    }
  },
};
