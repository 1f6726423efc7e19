import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Observation, TaskContext, TaskModule } from '../../../src/modules/contract.js';
import { directory } from '../../../src/modules/directory.js';
import { file } from '../../../src/modules/file.js';
import { secret } from '../../../src/modules/secret.js';
import { template } from '../../../src/modules/template.js';
import { openStack } from '../../../src/workspace/open.js';
import { Secret } from '../../../src/workspace/secret.js';
import { prepareWorkspace, workspaceAt } from '../../../src/workspace/workspace.js';
import { modeOf, scratch, withUmask } from '../../helpers/folders.js';

let root: string;
let context: TaskContext;
beforeEach(async () => {
  root = scratch();
  const packageRoot = scratch();
  mkdirSync(path.join(packageRoot, 'templates'));
  writeFileSync(
    path.join(packageRoot, 'templates', 't.sql'),
    "-- {{ job }} on {{ config.topic.name }}\nPASSWORD '{{ secrets.views.password }}'\n-- end\n",
  );
  writeFileSync(path.join(packageRoot, 'outside'), '');
  writeFileSync(path.join(packageRoot, 'images.yaml'), '');
  await prepareWorkspace(workspaceAt(root));
  const { stack } = await openStack({ root, env: {}, cacheDir: scratch(), packageRoot, allocate: false });
  await stack.credentials.write('views', { password: 'first-password' });
  context = { stack, signal: new AbortController().signal, progress: () => undefined, waitingFor: () => undefined };
});

const at = (name: string): string => path.join(root, name);
const observe = (module: TaskModule, args: unknown): Promise<Observation> => module.observe(module.schema.parse(args), context);
const remove = (module: TaskModule, args: unknown): Promise<void> => module.remove!(module.schema.parse(args), context);

/** Applies what is to be applied, sees that it is in sync then, and gives the message. */
async function apply(module: TaskModule, args: unknown): Promise<string> {
  const parsed = module.schema.parse(args);
  const seen = await module.observe(parsed, context);
  if (seen.state !== 'missing' && seen.state !== 'drifted') throw new Error(`nothing to apply: ${seen.state}`);
  const message = await module.apply(parsed, seen, context);
  expect(await module.observe(parsed, context)).toEqual({ state: 'in-sync' });
  return message;
}

const cases: [TaskModule, Record<string, unknown>, string][] = [
  [directory, { path: 'made/here', mode: '0750' }, 'made/here'],
  [file, { path: 'made/a.txt', content: 'text', mode: '0640' }, 'made/a.txt'],
  [secret, { name: 'aws', fields: { user: 'forge', key: { generate: 20 } } }, '.forge/credentials/aws.json'],
  [template, { template: 't.sql', to: 'made/t.sql', mode: '0640', values: { job: 'J' } }, '.forge/generated/made/t.sql'],
];
const wantedMode = ({ mode = '0600' }: Record<string, unknown>): string => mode as string;

describe.each(cases)('$name', (module, args, made) => {
  it.each([0o000, 0o077])('makes, mends the mode, and removes, under the umask %o', (mask) =>
    withUmask(mask, async () => {
      expect(await observe(module, args)).toMatchObject({ state: 'missing' });
      expect(existsSync(at(made))).toBe(false);
      expect(await apply(module, args)).toContain('was missing');
      expect(modeOf(at(made))).toBe(wantedMode(args));
      chmodSync(at(made), 0o777);
      expect(await observe(module, args)).toMatchObject({
        state: 'drifted',
        diff: [{ field: 'mode', is: '0777', should: wantedMode(args) }],
      });
      expect(await apply(module, args)).toContain('mode is 0777');
      expect(modeOf(at(made))).toBe(wantedMode(args));
      await remove(module, args);
      expect(await observe(module, args)).toMatchObject({ state: 'missing' });
      await remove(module, args);
    }),
  );
});

describe('paths stay in the workspace', () => {
  it.each(['../x', '/etc/x', '.', 'a/../..', ''])('%j is refused', async (given) => {
    for (const [module, args] of [
      [directory, { path: given }],
      [file, { path: given, content: '' }],
      [template, { template: 't.sql', to: given, values: { job: 'J' } }],
    ] as const) {
      const parsed = module.schema.safeParse(args);
      if (!parsed.success) continue;
      await expect(module.observe(parsed.data, context)).rejects.toMatchObject({ code: 'PATH_OUTSIDE', exitCode: 2 });
      await expect(remove(module, args)).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    }
    expect(existsSync(root)).toBe(true);
  });

  it('also through a symbolic link on the way', async () => {
    const elsewhere = scratch();
    symlinkSync(elsewhere, at('link'));
    for (const [module, args] of [
      [file, { path: 'link/x', content: '' }],
      [directory, { path: 'link/a/b' }],
    ] as const)
      await expect(observe(module, args)).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
  });

  it('templates come from templates/ and go below .forge', async () => {
    const args = { template: 't.sql', to: 't.sql', values: { job: 'J' } };
    await expect(observe(template, { ...args, template: '../outside' })).rejects.toMatchObject({ code: 'TEMPLATE_MISSING', exitCode: 2 });
    await expect(observe(template, { ...args, template: 'none.sql' })).rejects.toMatchObject({ code: 'TEMPLATE_MISSING' });
    await expect(observe(template, { ...args, to: at('src/t.sql') })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    expect(await observe(template, { ...args, to: '.forge/run/t.sql' })).toMatchObject({ state: 'missing' });
  });
});

describe('directory', () => {
  it('is not made in the place of a file', async () => {
    writeFileSync(at('a'), 'theirs');
    await expect(observe(directory, { path: 'a' })).rejects.toMatchObject({ code: 'PATH_OCCUPIED', exitCode: 3 });
  });

  it("removes what is in it below .forge only: elsewhere it is a person's", async () => {
    for (const name of ['mine', '.forge/data/x']) {
      await apply(directory, { path: name });
      writeFileSync(at(`${name}/file`), '');
      await remove(directory, { path: name });
    }
    expect(existsSync(at('mine/file'))).toBe(true);
    expect(existsSync(at('.forge/data/x'))).toBe(false);
  });
});

describe('file', () => {
  it('an unquoted mode is refused: in YAML 0600 is six hundred', () => {
    for (const module of [file, directory, template])
      expect(module.schema.safeParse({ path: 'a', content: '', mode: 600 }).success).toBe(false);
    expect(file.schema.safeParse({ path: 'a', content: '', mode: '0999' }).success).toBe(false);
  });

  it('shows the lines that differ, and puts a file in the place of a link', async () => {
    const args = { path: 'a', content: 'one\ntwo\nthree\n', mode: '0644' };
    writeFileSync(at('target'), 'one\n2\nthree\n', { mode: 0o644 });
    writeFileSync(at('a'), 'one\n2\nthree\n', { mode: 0o644 });
    expect(await observe(file, args)).toMatchObject({ state: 'drifted', diff: [{ field: 'content', is: '2', should: 'two' }] });
    await apply(file, args);
    await remove(file, args);
    symlinkSync('target', at('a'));
    await apply(file, args);
    expect(lstatSync(at('a')).isFile()).toBe(true);
    expect(readFileSync(at('target'), 'utf8')).toBe('one\n2\nthree\n');
  });

  it('never shows a secret of its content, neither the new one nor an old one', async () => {
    const args = { path: 'a', content: new Secret('user=x\npassword=brand-new-secret\nend\n') };
    writeFileSync(at('a'), 'user=x\npassword=forgotten-old-secret\nend\n', { mode: 0o600 });
    const seen = await observe(file, args);
    expect(seen).toMatchObject({ state: 'drifted' });
    expect(JSON.stringify(seen)).not.toMatch(/forgotten|brand-new/);
    await apply(file, args);
    expect(readFileSync(at('a'), 'utf8')).toContain('brand-new-secret');
  });
});

describe('template', () => {
  const args = { template: 't.sql', to: 't.sql', values: { job: 'J' } };
  const made = '.forge/generated/t.sql';

  it('is filled in with the stack, its secrets and the values of the task, and follows when they change', async () => {
    await apply(template, args);
    expect(readFileSync(at(made), 'utf8')).toBe("-- J on balloon-game\nPASSWORD 'first-password'\n-- end\n");
    expect(modeOf(at(made))).toBe('0600');
    await context.stack.credentials.write('views', { password: 'second-password' });
    const seen = await observe(template, args);
    expect(seen).toMatchObject({ state: 'drifted', diff: [{ field: 'content' }] });
    expect(JSON.stringify(seen)).not.toMatch(/first-password|second-password/);
    expect(await apply(template, args)).toContain('content differs');
    expect(await observe(template, { ...args, values: { job: 'K' } })).toMatchObject({
      diff: [{ field: 'content', is: '-- J on balloon-game', should: '-- K on balloon-game' }],
    });
  });

  it('a value that is missing is an error with the line, and nothing is written', async () => {
    await expect(observe(template, { ...args, values: {} })).rejects.toMatchObject({
      code: 'TEMPLATE_VARIABLE_MISSING',
      exitCode: 2,
      message: expect.stringContaining('templates/t.sql:1: {{ job }}') as string,
    });
    expect(existsSync(at(made))).toBe(false);
  });
});

describe('secret', () => {
  const args = { name: 'aws', fields: { user: 'forge', key: { generate: 24 } } };
  const key = (): string | undefined => context.stack.credentials.read('aws')?.['key']?.reveal();

  it('makes letters and digits of the length that was asked for, different each time, and shows none of it', async () => {
    const message = await apply(secret, args);
    const first = key();
    expect(first).toMatch(/^[A-Za-z0-9]{24}$/);
    expect(message).not.toContain(first);
    await remove(secret, args);
    await apply(secret, args);
    expect(key()).not.toBe(first);
  });

  it('never makes a value anew that is there, and adds what is missing', async () => {
    await context.stack.credentials.write('aws', { key: 'kept-as-it-is', other: 'theirs' });
    expect(await observe(secret, args)).toMatchObject({ state: 'drifted', diff: [{ field: 'user', is: 'missing' }] });
    await apply(secret, args);
    expect(key()).toBe('kept-as-it-is');
    expect(context.stack.credentials.read('aws')?.['other']?.reveal()).toBe('theirs');
  });

  it('an open folder and another owner are mended too', async () => {
    await apply(secret, args);
    const before = key();
    chmodSync(at('.forge/credentials'), 0o755);
    expect(await observe(secret, args)).toMatchObject({ diff: [{ field: 'mode of the folder', is: '0755', should: '0700' }] });
    await apply(secret, args);
    expect([modeOf(at('.forge/credentials')), key()]).toEqual(['0700', before]);
  });

  it.each(['{"key": "tru', '[]', ''])('a damaged file is an error, and is not replaced: %j', async (text) => {
    writeFileSync(at('.forge/credentials/aws.json'), text, { mode: 0o600 });
    await expect(observe(secret, args)).rejects.toMatchObject({ code: 'CREDENTIAL_UNREADABLE', exitCode: 3 });
    expect(readFileSync(at('.forge/credentials/aws.json'), 'utf8')).toBe(text);
  });

  it('a symbolic link is refused', async () => {
    writeFileSync(at('x.json'), '{"key":"elsewhere"}');
    symlinkSync(at('x.json'), at('.forge/credentials/aws.json'));
    await expect(observe(secret, args)).rejects.toMatchObject({
      code: 'CREDENTIAL_UNREADABLE',
      message: expect.stringContaining('symbolic link') as string,
    });
  });
});
