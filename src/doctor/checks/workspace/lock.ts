import { lockState } from '../../../workspace/lock.js';
import type { Check, Place, Trouble } from '../../check.js';

/** A lock that nobody holds any more, or that cannot be told. */
export const lockStale: Check<Place> = {
  id: 'lock-stale',
  group: 'workspace',
  severity: 'warning',
  title: 'The lock is free, or held by a command that runs',
  look({ workspace }): Promise<Trouble[]> {
    const found = lockState(workspace);
    if (found === undefined || found.state === 'held') return Promise.resolve([]);
    const { holder, file } = found;
    if (found.state === 'elsewhere' && holder !== undefined)
      return Promise.resolve([
        {
          title: 'The workspace is locked by another machine',
          cause: `\`forge ${holder.command}\` on ${holder.host} (pid ${holder.pid}) has the lock since ${holder.since}; whether it still runs cannot be seen from here`,
          remedy: `If it does not run any more: rm ${file}`,
        },
      ]);
    const who =
      holder === undefined ? `${file} is damaged` : `\`forge ${holder.command}\` (pid ${holder.pid}, since ${holder.since}) was killed`;
    return Promise.resolve([
      {
        title: 'A command that was killed has left its lock',
        cause: `${who}; what it was doing may be half done`,
        remedy: '`forge up` takes the lock over and finishes what was begun',
        // Whoever mends takes the lock over first, and gives it back.
        fix: { does: 'takes the lock over', run: () => Promise.resolve() },
      },
    ]);
  },
};
