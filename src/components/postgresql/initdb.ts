import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, mkdir, readFile, readdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tryRun } from '../../clients/exec.js';
import { quoteIdentifier, quoteLiteral } from '../../clients/postgresql.js';
import { serverError } from '../../errors.js';
import { fileError, freshBeside, sweepBeside } from '../../workspace/atomic.js';
import type { StackContext } from '../../workspace/context.js';
import { redact } from '../../workspace/secret.js';
import { dataDir } from '../component.js';
import { canRun, runAs, type PostgresHome } from './place.js';

interface Run {
  what: string;
  cwd: string;
  inputFile?: string;
  signal: AbortSignal;
}

/** Runs one of PostgreSQL's programs to its end, as the user that the server will have; it does not outlive forge. */
async function run(program: string, args: string[], { what, ...options }: Run): Promise<void> {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: options.cwd, LC_ALL: 'C', TZ: 'UTC' };
  const { stdout, stderr, exitCode } = await tryRun(program, args, { ...options, env, user: runAs(), tied: true });
  const output = `${stdout}\n${stderr}`;
  if (exitCode === 0 && !/(^|\n)(.* )?(ERROR|FATAL|PANIC):/.test(output)) return;
  throw serverError({
    code: 'POSTGRESQL_PREPARE',
    message: redact(`PostgreSQL could not ${what} (exit code ${exitCode}): ${output.trim().split('\n').slice(-5).join('\n')}`),
    hint: 'Run `forge up` again; when it says the same, `forge down` and `forge up` start with an empty database',
  });
}

/** What no other user may see goes to a program by a file that lives as long as the call. */
async function withPrivateFile(file: string, text: string, use: () => Promise<void>): Promise<void> {
  try {
    await rm(file, { force: true });
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
    await give(file, 0o600);
    await use();
  } finally {
    await rm(file, { force: true });
  }
}

async function give(path: string, mode: number): Promise<void> {
  const user = runAs();
  if (user !== undefined) await chown(path, user.uid, user.gid);
  await chmod(path, mode);
}

/** Makes `link` point to `target`; what stands there and is not such a link is left alone and reported. */
async function pointTo(link: string, target: string): Promise<void> {
  const there = await lstat(link).catch(() => undefined);
  if (there?.isSymbolicLink() === true && (await readlink(link)) === target) return;
  if (there !== undefined && !there.isSymbolicLink())
    throw serverError({
      code: 'POSTGRESQL_DATA_TAKEN',
      message: `${link} is a folder, where forge (as root) wants a link to ${target}: another user started this workspace before`,
      hint: 'Go on as the user who ran `forge up` first, or remove that folder',
    });
  await rm(link, { force: true });
  await mkdir(dirname(link), { recursive: true, mode: 0o700 });
  await symlink(target, link);
}

async function copyPrograms(home: PostgresHome): Promise<void> {
  if (home.copyFrom === undefined) return;
  const [stamp, user] = [join(home.binaries, '.from'), runAs()];
  const isCopy = (await readFile(stamp, 'utf8').catch(() => '')) === home.copyFrom;
  if (isCopy && (user === undefined || canRun(home.binaries, user))) return;
  await sweepBeside(home.binaries, NEW);
  await rm(home.binaries, { recursive: true, force: true });
  const temporary = freshBeside(home.binaries, NEW);
  await cp(home.copyFrom, temporary, { recursive: true, verbatimSymlinks: true });
  await openToAll(temporary);
  await writeFile(join(temporary, '.from'), home.copyFrom, { mode: 0o644 });
  await rename(temporary, home.binaries);
}

/** Lets every user read and run what is in a folder, whatever the umask was when it was installed. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    if (!entry.isFile()) continue;
    const mode = (await stat(path)).mode & 0o777;
    await chmod(path, mode | ((mode & 0o100) === 0 ? 0o444 : 0o555));
  }
}

/** Ending of what is not whole yet. */
const NEW = 'new';
const passwordFileOf = (home: PostgresHome): string => `${home.data}.pw`;

/** Tells whether the database has these credentials, without keeping them. */
const stampOf = (username: string, password: string): string =>
  createHash('sha256')
    .update(JSON.stringify([username, password]))
    .digest('hex');

async function create(home: PostgresHome, username: string, password: string, signal: AbortSignal): Promise<void> {
  // What an interrupted run has left is worth nothing.
  await sweepBeside(home.data, NEW);
  const temporary = freshBeside(home.data, NEW);
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await give(temporary, 0o700);
  const passwordFile = passwordFileOf(home);
  const args = [
    '-D',
    temporary,
    '-U',
    username,
    `--pwfile=${passwordFile}`,
    '-A',
    'scram-sha-256',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  const initdb = join(home.binaries, 'bin', 'initdb');
  await withPrivateFile(passwordFile, password, () => run(initdb, args, { what: 'create its data folder', cwd: temporary, signal }));
  await writeFile(join(temporary, 'forge.credential'), stampOf(username, password), { mode: 0o600 });
  await rename(temporary, home.data);
}

/** The credential was made anew (its file was lost): the database is told in single-user mode, which asks for none. */
async function changeCredential(home: PostgresHome, username: string, password: string, signal: AbortSignal): Promise<void> {
  const role = quoteIdentifier(username);
  const lines = [
    `DO $$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    `ALTER ROLE ${role} SUPERUSER LOGIN PASSWORD ${quoteLiteral(password).trim()}`,
  ];
  const args = [
    '--single',
    '-D',
    home.data,
    '-c',
    `config_file=${join(home.data, 'forge.conf')}`,
    '-c',
    'log_min_error_statement=panic',
    'postgres',
  ];
  const postgres = join(home.binaries, 'bin', 'postgres');
  const inputFile = passwordFileOf(home);
  await withPrivateFile(inputFile, `${lines.join('\n')}\n`, () =>
    run(postgres, args, { what: 'take its new password', cwd: home.data, inputFile, signal }),
  );
  await writeFile(join(home.data, 'forge.credential'), stampOf(username, password), { mode: 0o600 });
}

/** Has the server, which must not be running, be told its password before its next start, whatever it has now. */
export async function forgetPassword(context: StackContext): Promise<void> {
  const link = dataDir(context, 'postgresql');
  // Of root's forge the folder itself is a link to the data.
  for (const folder of [link, join(link, 'data')]) await rm(join(folder, 'forge.credential'), { force: true });
}

/** Makes everything that the server needs before its start; the server must not be running. May be interrupted at any point. */
export async function prepareDatabase(context: StackContext, home: PostgresHome, settings: string, signal: AbortSignal): Promise<void> {
  try {
    await prepare(context, home, settings, signal);
  } catch (error) {
    throw fileError(home.data, error);
  }
}

async function prepare(context: StackContext, home: PostgresHome, settings: string, signal: AbortSignal): Promise<void> {
  const fields = context.credentials.get('postgresql');
  const [username, password] = [fields.username?.reveal() ?? '', fields.password?.reveal() ?? ''];
  if (home.outside === undefined) await mkdir(dataDir(context, 'postgresql'), { recursive: true, mode: 0o700 });
  else {
    await mkdir(home.outside, { recursive: true });
    for (const folder of [dirname(home.outside), home.outside]) await chmod(folder, 0o755);
    await pointTo(dataDir(context, 'postgresql'), home.data);
  }
  await copyPrograms(home);
  if (!existsSync(join(home.data, 'PG_VERSION'))) {
    await create(home, username, password, signal);
  }
  const file = join(home.data, 'forge.conf');
  await writeFile(file, settings, { mode: 0o600 });
  await give(file, 0o600);
  const stamp = await readFile(join(home.data, 'forge.credential'), 'utf8').catch(() => '');
  if (stamp !== stampOf(username, password)) await changeCredential(home, username, password, signal);
}
