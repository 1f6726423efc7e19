import { ForgeError } from '../../../errors.js';
import type { Check, Trouble } from '../../check.js';

/**
 * What the first `forge up` would refuse to begin for. Later the checks of servers and cluster tell it; and on processes with
 * Flink it is programs that may be missing, which have a check, while to ask for all of it might download Polaris.
 */
export const upRefused: Check = {
  id: 'up-refused',
  group: 'machine',
  title: 'Nothing stands against the first `forge up`',
  needs: ['docker-answers'],
  seconds: 15,
  concerns: ({ isKnown, stack }) => !isKnown && (stack.runtime !== 'process' || stack.engine !== 'flink'),
  async look(place): Promise<Trouble[]> {
    try {
      await place.require();
      return [];
    } catch (error) {
      place.signal.throwIfAborted();
      if (!(error instanceof ForgeError)) throw error;
      return [{ title: '`forge up` would refuse to begin', cause: error.message, remedy: error.hint ?? 'See `forge up --check`' }];
    }
  },
};
