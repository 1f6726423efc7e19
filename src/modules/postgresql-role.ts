import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Secret } from '../workspace/secret.js';
import { postgresAdmin } from './connect.js';
import { defineModule, type Difference, type TaskContext } from './contract.js';

const schema = z.strictObject({
  name: z.string().min(1).max(63),
  password: z.instanceof(Secret, { error: 'expected a secret, such as "{{ secrets.views.password }}"' }),
});

/** What PostgreSQL keeps of a password (RFC 5802), so that the password itself is in no statement and so in no server log. */
export function scramVerifier(password: Secret, salt = randomBytes(16), iterations = 4096): string {
  const salted = pbkdf2Sync(password.reveal().normalize('NFKC'), salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}

async function passwordWorks(args: z.output<typeof schema>, context: TaskContext): Promise<boolean> {
  const { isLoginRefused, sqlState, withPostgres } = await import('../clients/postgresql.js');
  const target = { ...postgresAdmin(context), user: args.name, password: args.password };
  try {
    await withPostgres(target, async () => {}, { signal: context.signal });
    return true;
  } catch (error) {
    if (isLoginRefused(error)) return false;
    // Any other refusal of the server comes after the password was accepted.
    if (sqlState(error) !== undefined) return true;
    throw error;
  }
}

export const postgresqlRole = defineModule<z.output<typeof schema>>({
  name: 'postgresql.role',
  summary: 'A PostgreSQL role that logs in with a password',
  schema,
  timeoutSeconds: 30,

  async observe(args, context) {
    const { withPostgres } = await import('../clients/postgresql.js');
    const [role] = await withPostgres(
      postgresAdmin(context),
      (client) => client.query<{ rolcanlogin: boolean }>('SELECT rolcanlogin FROM pg_roles WHERE rolname = $1', [args.name]),
      { signal: context.signal },
    );
    if (role === undefined) return { state: 'missing', message: `no role ${args.name}` };
    const diff: Difference[] = [];
    if (!role.rolcanlogin) diff.push({ field: 'login', is: 'no', should: 'yes' });
    else if (!(await passwordWorks(args, context))) diff.push({ field: 'password', is: 'refused', should: 'accepted' });
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: diff[0]?.field === 'login' ? 'it may not log in' : 'its password is another one', diff };
  },

  async apply(args, observation, context) {
    const { quoteIdentifier, quoteLiteral, withPostgres } = await import('../clients/postgresql.js');
    const verb = observation.state === 'missing' ? 'CREATE' : 'ALTER';
    const options = `LOGIN PASSWORD ${quoteLiteral(scramVerifier(args.password))} VALID UNTIL 'infinity'`;
    await withPostgres(postgresAdmin(context), (client) => client.query(`${verb} ROLE ${quoteIdentifier(args.name)} ${options}`), {
      signal: context.signal,
    });
    return observation.state === 'missing'
      ? `role ${args.name} was missing; created`
      : `role ${args.name}: ${observation.message}; login and password set again`;
  },

  async remove(args, context) {
    const { quoteIdentifier, withPostgres } = await import('../clients/postgresql.js');
    await withPostgres(postgresAdmin(context), (client) => client.query(`DROP ROLE IF EXISTS ${quoteIdentifier(args.name)}`), {
      signal: context.signal,
    });
  },
});
