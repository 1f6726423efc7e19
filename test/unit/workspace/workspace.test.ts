import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openCredentials } from '../../../src/workspace/credentials.js';
import { readKept, writeKept, type Kept } from '../../../src/workspace/kept.js';
import { findWorkspace, prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { modeOf, scratch, unprivileged, withUmask } from '../../helpers/folders.js';

let workspace: Workspace;
beforeEach(async () => {
  workspace = workspaceAt(scratch());
  await prepareWorkspace(workspace);
});

describe('the workspace', () => {
  it.each([0o000, 0o077])('its folders are private under the umask %o, and git ignores them', async (mask) => {
    const fresh = workspaceAt(path.join(scratch(), 'new'));
    await withUmask(mask, () => prepareWorkspace(fresh));
    const { forgeDir, credentials, generated, logs, run, data } = fresh;
    for (const folder of [forgeDir, credentials, generated, logs, run, data]) expect(modeOf(folder), folder).toBe('0700');
    expect(readFileSync(path.join(forgeDir, '.gitignore'), 'utf8').trim()).toBe('*');
  });

  it('has the same id on every way to it and before it is made, and no other has it', async () => {
    const folder = scratch();
    symlinkSync(folder, path.join(folder, 'link'));
    const before = workspaceAt(path.join(folder, 'link', 'made-later')).id;
    mkdirSync(path.join(folder, 'made-later'));
    expect(workspaceAt(path.join(folder, 'made-later')).id).toBe(before);
    expect(workspaceAt(`${folder}/made-later/../made-later/`).id).toBe(before);
    expect(workspaceAt(folder).id).not.toBe(before);
  });

  it('is the one that was named, else the nearest one upwards, else the current folder', async () => {
    const inner = path.join(workspace.root, 'a', 'b');
    mkdirSync(inner, { recursive: true });
    expect(findWorkspace(undefined, inner).root).toBe(workspace.root);
    expect(findWorkspace(inner, workspace.root).root).toBe(inner);
    writeFileSync(path.join(workspace.root, 'a', 'forge.yaml'), '');
    expect(findWorkspace(undefined, inner).root).toBe(path.join(workspace.root, 'a'));
    const elsewhere = scratch();
    // A folder of this name that forge did not make.
    mkdirSync(path.join(elsewhere, '.forge', 'x'), { recursive: true });
    mkdirSync(path.join(elsewhere, 'c'));
    expect(findWorkspace(undefined, path.join(elsewhere, 'c')).root).toBe(path.join(elsewhere, 'c'));
  });

  it('in a folder that may not be written says so and makes nothing', async () => {
    const folder = scratch();
    chmodSync(folder, 0o555);
    await unprivileged(() =>
      expect(prepareWorkspace(workspaceAt(folder))).rejects.toMatchObject({
        code: 'NOT_WRITABLE',
        exitCode: 3,
        message: expect.stringContaining(folder) as string,
      }),
    );
  });
});

describe('what up was told', () => {
  const kept: Kept = { stack: 'balloon-popper', runtime: 'process', engine: 'flink', catalog: 'polaris', ports: { kafka: 19095 } };
  const file = (): string => path.join(workspace.forgeDir, 'stack.json');

  it('is nothing before the first up, and is read as it was written', async () => {
    expect(readKept(workspace)).toBeUndefined();
    await withUmask(0, () => writeKept(workspace, kept));
    expect(readKept(workspace)).toEqual(kept);
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ version: 1, id: workspace.id, ...kept });
    expect(modeOf(file())).toBe('0600');
  });

  it('of a newer forge is refused', () => {
    writeFileSync(file(), JSON.stringify({ version: 2, anything: 'else' }));
    expect(() => readKept(workspace)).toThrow(
      expect.objectContaining({ code: 'STATE_NEWER', exitCode: 3, message: expect.stringContaining(file()) as string }),
    );
  });

  it.each([
    '',
    '{"version":1',
    'null',
    '[]',
    '{}',
    '{"version":"1"}',
    '{"version":1,"stack":"x"}',
    JSON.stringify({ version: 1, ...kept, catalog: 'hive' }),
    JSON.stringify({ version: 1, ...kept, ports: { kafka: 70000 } }),
    JSON.stringify({ version: 1, ...kept, ports: [] }),
  ])('damaged is said, with its path and what to do, and left as it is: %s', (text) => {
    writeFileSync(file(), text);
    expect(() => readKept(workspace)).toThrow(
      expect.objectContaining({
        code: 'STATE_DAMAGED',
        exitCode: 3,
        message: expect.stringContaining(file()) as string,
        hint: expect.stringContaining('forge up') as string,
      }),
    );
    expect(readFileSync(file(), 'utf8')).toBe(text);
  });
});

describe('credentials', () => {
  const open = () => openCredentials(workspace);

  it.each([0o000, 0o077])('are private under the umask %o and read as they were written', async (mask) => {
    const awkward = { password: 'a\'b"c\\d;$&', username: 'x' };
    await withUmask(mask, () => open().write('views', awkward));
    expect(modeOf(open().file('views'))).toBe('0600');
    expect(modeOf(workspace.credentials)).toBe('0700');
    const read = open().get('views');
    expect(Object.fromEntries(Object.entries(read).map(([name, value]) => [name, value.reveal()]))).toEqual(awkward);
    expect(JSON.stringify(read)).toBe('{"password":"***","username":"***"}');
    expect(open().names()).toEqual(['views']);
    await open().remove('views');
    await open().remove('views');
    expect(open().read('views')).toBeUndefined();
  });

  it('that is not there is named', () => {
    expect(() => open().get('aws')).toThrow(
      expect.objectContaining({ code: 'CREDENTIAL_MISSING', message: expect.stringContaining('aws') as string }),
    );
  });

  it('truncated is said with its path, without what is in it', async () => {
    await open().write('aws', { secretAccessKey: 'very-secret-value' });
    truncateSync(open().file('aws'), 35);
    let thrown: unknown;
    try {
      open().read('aws');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'CREDENTIAL_UNREADABLE',
      exitCode: 3,
      message: expect.stringContaining(open().file('aws')) as string,
    });
    expect(JSON.stringify(thrown) + String(thrown) + String((thrown as Error).cause)).not.toContain('very-s');
  });

  it.each(['[]', '"x"', 'null', '{"a":1}', '{"a":{"b":"c"}}'])('of another shape is damaged: %s', (text) => {
    writeFileSync(open().file('aws'), text, { mode: 0o600 });
    expect(() => open().read('aws')).toThrow(expect.objectContaining({ code: 'CREDENTIAL_UNREADABLE' }));
  });

  it('a symbolic link in their place is refused, and never written through', async () => {
    await open().write('aws', { secretAccessKey: 'very-secret-value' });
    const elsewhere = path.join(workspace.root, 'elsewhere.json');
    renameSync(open().file('aws'), elsewhere);
    symlinkSync(elsewhere, open().file('aws'));
    expect(() => open().read('aws')).toThrow(
      expect.objectContaining({ code: 'CREDENTIAL_UNREADABLE', message: expect.stringContaining('symbolic link') as string }),
    );
    await open().write('aws', { secretAccessKey: 'another-value' });
    expect(readFileSync(elsewhere, 'utf8')).toContain('very-secret-value');
    expect(open().get('aws')['secretAccessKey']?.reveal()).toBe('another-value');
  });
});
