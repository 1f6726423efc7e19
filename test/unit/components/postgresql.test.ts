import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../../src/components/postgresql/initdb.js';
import { canReach, canRun, type PostgresHome } from '../../../src/components/postgresql/place.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { Secret } from '../../../src/workspace/secret.js';
import { isRoot, modeOf, scratch, withUmask } from '../../helpers/folders.js';
import { gone, killForge, source } from '../install/killed.js';

let root: string;
let home: PostgresHome;
/** Where programs of another user may write. */
let out: string;
beforeEach(() => {
  root = scratch();
  out = path.join(root, 'out');
  home = { binaries: path.join(root, 'programs'), data: path.join(root, 'outside', 'data'), outside: path.join(root, 'outside') };
  for (const folder of [out, path.join(home.binaries, 'bin')]) mkdirSync(folder, { recursive: true });
  chmodSync(root, 0o755);
  chmodSync(out, 0o777);
  program('initdb', `echo 18 > "$2/PG_VERSION"; mkdir -p "$2/base"`);
  program('postgres', `echo "$*" > ${out}/args; cat > ${out}/input; stat -c %a ${home.data}.pw > ${out}/mode`);
});

const program = (name: string, script: string): void =>
  writeFileSync(path.join(home.binaries, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
const context = (password = 'hunter2hunter2'): StackContext => {
  const credentials = { get: () => ({ username: new Secret('forge-user'), password: new Secret(password) }) };
  return { workspace: { data: path.join(root, 'workspace') }, credentials } as unknown as StackContext;
};
const prepare = (password?: string): Promise<void> => prepareDatabase(context(password), home, 'port = 1\n', new AbortController().signal);

describe('the data folder of PostgreSQL', () => {
  it('is made once, whatever an interrupted run has left beside it', async () => {
    for (const left of ['data.new', 'data.new.0a1b2c3d']) mkdirSync(path.join(root, 'outside', left, 'base', '1'), { recursive: true });
    writeFileSync(`${home.data}.pw`, 'old');
    await prepare();
    expect(readdirSync(path.join(root, 'outside'))).toEqual(['data']);
    expect(readdirSync(home.data).sort()).toEqual(['PG_VERSION', 'base', 'forge.conf', 'forge.credential']);
    program('initdb', 'exit 9');
    await prepare();
    expect(existsSync(path.join(out, 'args'))).toBe(false);
  });

  it('goes with a forge that is killed: no initdb is left to write into it', async () => {
    program('initdb', `echo $$ > ${out}/new; mv ${out}/new ${out}/pid; sleep 300`);
    const script = `
      import { prepareDatabase } from ${source('components/postgresql/initdb.ts')};
      import { Secret } from ${source('workspace/secret.ts')};
      const credentials = { get: () => ({ username: new Secret('forge-user'), password: new Secret('hunter2hunter2') }) };
      const context = { workspace: { data: ${JSON.stringify(path.join(root, 'workspace'))} }, credentials };
      await prepareDatabase(context, ${JSON.stringify(home)}, '', new AbortController().signal);`;
    expect(await gone(await killForge(root, script, path.join(out, 'pid')))).toBe(true);
    program('initdb', `echo 18 > "$2/PG_VERSION"`);
    await prepare();
    expect(readdirSync(path.join(root, 'outside'))).toEqual(['data']);
  });

  it('that something else has put there is not a defect of forge', async () => {
    mkdirSync(path.join(home.data, 'photos'), { recursive: true });
    await expect(prepare()).rejects.toMatchObject({ code: 'NOT_WRITABLE', exitCode: 3 });
    expect(existsSync(path.join(home.data, 'photos'))).toBe(true);
  });

  it('learns of a new password by a file that only its user can read, and not by an argument', async () => {
    await prepare();
    await prepare('correct horse battery');
    expect(readFileSync(path.join(out, 'input'), 'utf8')).toContain(
      `ALTER ROLE "forge-user" SUPERUSER LOGIN PASSWORD 'correct horse battery'`,
    );
    expect(readFileSync(path.join(out, 'args'), 'utf8')).toMatch(/^--single /);
    expect(readFileSync(path.join(out, 'args'), 'utf8')).not.toContain('horse');
    expect(readFileSync(path.join(out, 'mode'), 'utf8')).toBe('600\n');
    expect(readdirSync(path.join(root, 'outside'))).toEqual(['data']);
    expect(modeOf(path.join(home.data, 'forge.credential'))).toBe('0600');
  });

  it('that a program cannot make is told with its last words, without the password', async () => {
    program('initdb', 'echo "FATAL:  hunter2hunter2 is no good" >&2; exit 1');
    const failure = prepare();
    await expect(failure).rejects.toMatchObject({ code: 'POSTGRESQL_PREPARE', exitCode: 4 });
    await expect(failure).rejects.toThrow(/create its data folder \(exit code 1\).*\*\*\* is no good/s);
  });
});

describe('the programs of PostgreSQL', () => {
  const user = { uid: 4_000_000, gid: 4_000_000 };
  /** The package as npm leaves it under a strict umask. */
  const closed = (folder: string): void => {
    for (const part of ['bin', 'lib/postgresql', 'share']) mkdirSync(path.join(folder, part), { recursive: true, mode: 0o700 });
    for (const name of ['initdb', 'postgres']) program(name, `echo 18 > "$2/PG_VERSION"`);
    for (const name of ['bin/initdb', 'bin/postgres']) chmodSync(path.join(folder, name), 0o700);
    writeFileSync(path.join(folder, 'share/postgres.bki'), '', { mode: 0o600 });
    symlinkSync('postgres.bki', path.join(folder, 'share/link'));
  };

  it('that another user cannot run are not taken for his, though he may look into the package', () => {
    closed(home.binaries);
    const open = (...names: string[]) => names.forEach((name) => chmodSync(path.join(home.binaries, name), 0o755));
    open('.');
    expect(canReach(home.binaries, user)).toBe(true);
    expect(canRun(home.binaries, user)).toBe(false);
    open('bin', 'lib', 'share');
    expect(canRun(home.binaries, user)).toBe(false);
    open('bin/initdb');
    expect(canRun(home.binaries, user)).toBe(true);
  });

  it('are copied open for all, and again where an earlier copy is closed', async () => {
    closed(home.binaries);
    const copy = path.join(root, 'outside', 'programs');
    home = { ...home, binaries: copy, copyFrom: home.binaries };
    const modes = () => ['.', 'bin', 'lib/postgresql', 'bin/initdb', 'share/postgres.bki'].map((name) => modeOf(path.join(copy, name)));
    await withUmask(0o077, () => prepare());
    expect(modes()).toEqual(['0755', '0755', '0755', '0755', '0644']);
    expect(canRun(copy, user)).toBe(true);
    if (!isRoot) return;
    chmodSync(path.join(copy, 'bin'), 0o700);
    await prepare();
    expect(canRun(copy, user)).toBe(true);
  });

  it('that may not be run are no defect of forge', async ({ skip }) => {
    if (!isRoot) return skip('only root starts them as another user');
    closed(home.binaries);
    await expect(prepare()).rejects.toMatchObject({
      code: 'POSTGRESQL_PREPARE',
      exitCode: 4,
      message: expect.stringMatching(/create its data folder.*Permission denied/s) as string,
    });
  });
});
