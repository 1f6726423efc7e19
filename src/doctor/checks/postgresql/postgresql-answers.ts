import { isLoginRefused, sqlState } from '../../../clients/postgresql.js';
import { forgetPassword } from '../../../components/postgresql/initdb.js';
import { messageOf } from '../../../errors.js';
import { stopProcess } from '../../../runtimes/process/stop.js';
import { isOnKubernetes } from '../../../workspace/context.js';
import type { Check, Fix, StackPlace, Trouble } from '../../check.js';
import { requireServing } from '../servers/unwell.js';
import { postgresFacts } from './facts.js';

/** PostgreSQL answers and takes the password that the stack has. */
export const postgresqlAnswers: Check = {
  id: 'postgresql-answers',
  group: 'postgresql',
  title: 'PostgreSQL answers and accepts the password of its superuser',
  needs: ['cluster-reachable'],
  seconds: 12,
  async look(place) {
    try {
      await postgresFacts(place);
      return [];
    } catch (error) {
      place.signal.throwIfAborted();
      if (isLoginRefused(error)) return [refused(place, messageOf(error))];
      await requireServing(place, 'postgresql');
      const full = sqlState(error) === '53300';
      return [
        {
          component: 'postgresql',
          title: full ? 'PostgreSQL has no connection left' : 'PostgreSQL does not answer as it should',
          cause: messageOf(error),
          remedy: full ? 'End programs that hold connections (notebooks, dashboards, psql)' : 'See `forge logs postgresql`',
        },
      ];
    }
  },
};

function refused(place: StackPlace, cause: string): Trouble {
  const base = {
    component: 'postgresql',
    title: 'PostgreSQL refuses the password of its superuser',
    cause: `${cause}: it was changed in PostgreSQL, or .forge/credentials/postgresql.json is of another time`,
  };
  if (!isOnKubernetes(place.stack))
    return {
      ...base,
      remedy: '`forge doctor --fix` gives PostgreSQL the password in .forge/credentials; its data stays',
      fix: giveAgain(place),
    };
  return {
    ...base,
    remedy:
      'In its pod no password is asked for: `kubectl -n postgresql exec -it postgresql-0 -- psql -U USER postgres`, then `\\password`',
  };
}

/** The server is told before its next start, when it asks for none. */
const giveAgain = ({ stack }: StackPlace): Fix => ({
  does: 'restarts postgresql with the password in .forge/credentials',
  up: true,
  run: async (signal) => {
    await stopProcess(stack.workspace, 'postgresql', signal);
    await forgetPassword(stack);
  },
});
