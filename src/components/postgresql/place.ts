import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lackingError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir, type Owner } from '../component.js';

export interface User {
  uid: number;
  gid: number;
}

export interface PostgresHome {
  /** Folder with bin/, lib/ and share/. */
  binaries: string;
  /** Where the package is, when the binaries have to be copied from there first. */
  copyFrom?: string;
  /** PGDATA. */
  data: string;
  /** forge's own folder for what the server's user has to reach, when forge is root. */
  outside?: string;
}

/** PostgreSQL refuses to run as root: then it is run as `postgres`, or `nobody`. Undefined: as whoever runs forge. */
export function runAs(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  throw lackingError({
    code: 'NO_UNPRIVILEGED_USER',
    message: 'PostgreSQL does not run as root, and this machine has neither a user `postgres` nor a user `nobody`',
    hint: 'Run forge as an ordinary user',
  });
}

/** True when that user may pass through all folders above a path, and read it. */
export function canReach(path: string, user: User): boolean {
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at);
    const bits = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode;
    const wanted = at === path ? 0o5 : 0o1;
    if ((bits & wanted) !== wanted) return false;
    if (at === dirname(at)) return true;
  }
}

/** True when that user may run the programs: a package that was installed under a strict umask is closed further down too. */
export const canRun = (binaries: string, user: User): boolean =>
  ['bin/initdb', 'lib', 'share'].every((name) => canReach(join(binaries, name), user));

const ROOT_HOME = '/var/lib/forge';

/** The folder of this workspace outside of it, which only a root's forge has; nothing else is ever kept in it. */
export const outsideHome = (context: Owner): string[] => (process.getuid?.() === 0 ? [join(ROOT_HOME, context.workspace.id)] : []);

/**
 * Where PostgreSQL runs. The workspace is closed to other users, so when forge is root the data (and the programs, when
 * the cache is closed as well) live in a folder that the server's user can reach, and .forge/data/postgresql points there.
 */
export function homeOf(context: StackContext, packageDir: string): PostgresHome {
  const [outside] = outsideHome(context);
  const user = runAs();
  if (outside === undefined || user === undefined) return { binaries: packageDir, data: join(dataDir(context, 'postgresql'), 'data') };
  const data = join(outside, 'postgresql');
  if (canRun(packageDir, user)) return { binaries: packageDir, data, outside };
  return { binaries: join(outside, 'programs'), copyFrom: packageDir, data, outside };
}
