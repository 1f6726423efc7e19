import { ForgeError, messageOf } from '../../../errors.js';
import type { Check } from '../../check.js';
import { requireServing } from '../servers/unwell.js';
import { bucketFacts } from './facts.js';

/** The object store answers and takes the stack's keys. */
export const s3Answers: Check = {
  id: 's3-answers',
  group: 's3',
  title: 'The object store answers and accepts the keys of the stack',
  needs: ['cluster-reachable'],
  seconds: 12,
  async look(place) {
    try {
      await bucketFacts(place);
      return [];
    } catch (error) {
      place.signal.throwIfAborted();
      await requireServing(place, 'localstack');
      const refused = error instanceof ForgeError && /answered 403/.test(error.message);
      return [
        {
          component: 'localstack',
          title: refused ? 'The object store refuses the keys of the stack' : 'The object store does not answer as it should',
          cause: messageOf(error),
          remedy: (error instanceof ForgeError ? error.hint : undefined) ?? 'See `forge logs localstack`',
        },
      ];
    }
  },
};
