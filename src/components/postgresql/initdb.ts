import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { quoteIdentifier, quoteLiteral } from '../../clients/postgresql.js';
import { serverError } from '../../errors.js';
import { redact } from '../../workspace/secret.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir } from '../component.js';
import { runAs, type PostgresHome } from './place.js';

interface Run {
  what: string;
  cwd: string;
  stdin?: string;
  signal: AbortSignal;
}

/** Runs one of PostgreSQL's programs to its end, as the user that the server will have. */
async function run(program: string, args: string[], { what, cwd, stdin, signal }: Run): Promise<void> {
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: cwd, LC_ALL: 'C', TZ: 'UTC' },
    stdio: 'pipe',
    signal,
    ...runAs(),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-8000)));
  child.stdin.on('error', () => undefined).end(stdin ?? '');
  const how = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, died) => resolve(died ?? String(code)));
  });
  if (how === '0' && !/(^|\n)(.* )?(ERROR|FATAL|PANIC):/.test(output)) return;
  throw serverError({
    code: 'POSTGRESQL_PREPARE',
    message: redact(`PostgreSQL could not ${what} (${how}): ${output.trim().split('\n').slice(-5).join('\n')}`),
    hint: 'Run `forge up` again; when it says the same, `forge down` and `forge up` start with an empty database',
  });
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
  const stamp = join(home.binaries, '.from');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === home.copyFrom) return;
  const temporary = `${home.binaries}.new`;
  for (const folder of [temporary, home.binaries]) await rm(folder, { recursive: true, force: true });
  await cp(home.copyFrom, temporary, { recursive: true, verbatimSymlinks: true });
  await chmod(temporary, 0o755);
  await writeFile(join(temporary, '.from'), home.copyFrom, { mode: 0o644 });
  await rename(temporary, home.binaries);
}

/** Tells whether the database has these credentials, without keeping them. */
const stampOf = (username: string, password: string): string =>
  createHash('sha256')
    .update(JSON.stringify([username, password]))
    .digest('hex');

async function create(home: PostgresHome, username: string, password: string, signal: AbortSignal): Promise<void> {
  const temporary = `${home.data}.new`;
  // What an interrupted run has left is worth nothing.
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await give(temporary, 0o700);
  const passwordFile = `${home.data}.pw`;
  try {
    await rm(passwordFile, { force: true });
    await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
    await give(passwordFile, 0o600);
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
    await run(join(home.binaries, 'bin', 'initdb'), args, { what: 'create its data folder', cwd: temporary, signal });
  } finally {
    await rm(passwordFile, { force: true });
  }
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
  await run(join(home.binaries, 'bin', 'postgres'), args, {
    what: 'take its new password',
    cwd: home.data,
    stdin: `${lines.join('\n')}\n`,
    signal,
  });
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
