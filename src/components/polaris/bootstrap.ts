import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tryRun } from '../../clients/exec.js';
import { POLARIS_REALM } from '../../clients/iceberg.js';
import { serverError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { redact, Secret } from '../../workspace/secret.js';
import { writeWhole } from '../component.js';
import { persistenceEnv } from './settings.js';

const reveal = (env: Record<string, string | Secret>): Record<string, string> =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]));

/**
 * Makes the realm with the root credentials of the workspace, through Polaris' own bin/admin. The credentials go in by a
 * file of mode 0600 that lives as long as the call: in the arguments every user of the machine could read them.
 * A realm that is there already is left as it is (Polaris before 1.7 calls that an error).
 */
export async function bootstrapRealm(
  stack: StackContext,
  database: string,
  home: string,
  javaHome: string,
  signal: AbortSignal,
): Promise<void> {
  const { clientId, clientSecret } = stack.credentials.get('polaris-root');
  if (clientId === undefined || clientSecret === undefined)
    throw new Error('the credential polaris-root has no clientId or no clientSecret');
  const file = join(stack.workspace.run, `polaris-bootstrap.${process.pid}.json`);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const root = { 'client-id': clientId.reveal(), 'client-secret': clientSecret.reveal() };
  await writeWhole(file, JSON.stringify({ [POLARIS_REALM]: root }));
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
  const env = { PATH, HOME, LANG, ...reveal(persistenceEnv(stack, javaHome, database)), POLARIS_JAVA_OPTS: '-Xmx256m -XX:+UseSerialGC' };
  try {
    const command = join(home, 'bin', 'admin');
    const { stdout, stderr, exitCode } = await tryRun(command, ['bootstrap', '--credentials-file', file], { env, signal, tied: true });
    const said = redact(`${stdout}\n${stderr}`.trim());
    if (exitCode === 0 || /already been bootstrapped/.test(said)) return;
    const lines = said.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
    throw serverError({
      code: 'POLARIS_BOOTSTRAP_FAILED',
      message: `Polaris' bin/admin could not make the realm ${POLARIS_REALM} (exit ${exitCode}): ${lines.slice(-3).join(' | ') || 'it said nothing'}`,
      hint: `Is ${home} a whole distribution, of the version that made the database? \`forge down\` and \`forge up\` start over`,
    });
  } finally {
    await rm(file, { force: true });
  }
}
