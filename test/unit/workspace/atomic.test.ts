import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureDir, fileError, freshBeside, sweepBeside, writeFileAtomic } from '../../../src/workspace/atomic.js';
import { modeOf, scratch, tinyDisk, unprivileged, withUmask } from '../../helpers/folders.js';

describe('writeFileAtomic', () => {
  it.each([0o000, 0o022, 0o077, 0o777])('gives the mode that was asked for under the umask %o', async (mask) => {
    const folder = scratch();
    await withUmask(mask, async () => {
      await writeFileAtomic(path.join(folder, 'secret'), 'x', { mode: 0o600 });
      await writeFileAtomic(path.join(folder, 'open'), 'x', { mode: 0o644 });
    });
    expect([modeOf(path.join(folder, 'secret')), modeOf(path.join(folder, 'open'))]).toEqual(['0600', '0644']);
  });

  it('replaces the text and the mode of a file that is there', async () => {
    const file = path.join(scratch(), 'a');
    writeFileSync(file, 'long old text', { mode: 0o666 });
    await writeFileAtomic(file, 'new', { mode: 0o600 });
    expect([readFileSync(file, 'utf8'), modeOf(file)]).toEqual(['new', '0600']);
  });

  it('replaces a symbolic link and leaves what it leads to', async () => {
    const folder = scratch();
    writeFileSync(path.join(folder, 'target'), 'theirs');
    symlinkSync('target', path.join(folder, 'link'));
    await writeFileAtomic(path.join(folder, 'link'), 'ours', { mode: 0o600 });
    expect(readFileSync(path.join(folder, 'target'), 'utf8')).toBe('theirs');
    expect(readFileSync(path.join(folder, 'link'), 'utf8')).toBe('ours');
  });

  it('many at once leave one whole text and nothing else', async () => {
    const folder = scratch();
    const file = path.join(folder, 'a');
    const texts = Array.from({ length: 30 }, (_, index) => String(index).repeat(5000));
    await Promise.all(texts.map((text) => writeFileAtomic(file, text, { mode: 0o600 })));
    expect(texts).toContain(readFileSync(file, 'utf8'));
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('a folder that may not be written says so and keeps the old file', async () => {
    const folder = scratch();
    const file = path.join(folder, 'a');
    writeFileSync(file, 'old');
    chmodSync(folder, 0o555);
    await unprivileged(() =>
      expect(writeFileAtomic(file, 'new', { mode: 0o600 })).rejects.toMatchObject({
        code: 'NOT_WRITABLE',
        exitCode: 3,
        message: expect.stringContaining(file) as string,
        hint: expect.stringMatching(/\w/) as string,
      }),
    );
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('a folder in its place says so and leaves nothing behind', async () => {
    const folder = scratch();
    mkdirSync(path.join(folder, 'a'));
    await expect(writeFileAtomic(path.join(folder, 'a'), 'x', { mode: 0o600 })).rejects.toMatchObject({ code: 'NOT_WRITABLE' });
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('a full disk says so, keeps the old file and leaves nothing behind', async ({ skip }) => {
    const disk = tinyDisk();
    if (!disk) return skip('a file system can be mounted by root only');
    try {
      const file = path.join(disk.folder, 'a');
      await writeFileAtomic(file, 'old', { mode: 0o600 });
      await expect(writeFileAtomic(file, 'x'.repeat(200_000), { mode: 0o600 })).rejects.toMatchObject({
        code: 'DISK_FULL',
        exitCode: 3,
        message: expect.stringContaining(file) as string,
      });
      expect(readFileSync(file, 'utf8')).toBe('old');
      expect(readdirSync(disk.folder)).toEqual(['a']);
    } finally {
      disk.unmount();
    }
  });

  it('/dev/full stands for a full disk everywhere', () => {
    // The error that a write gives there is the one that a full disk gives; what forge makes of it is asked above where possible.
    const full = openSync('/dev/full', 'w');
    try {
      writeSync(full, 'x');
      expect.fail('was written');
    } catch (error) {
      expect(fileError('/x/y', error)).toMatchObject({
        code: 'DISK_FULL',
        exitCode: 3,
        message: expect.stringContaining('/x/y') as string,
      });
    } finally {
      closeSync(full);
    }
  });
});

describe('ensureDir', () => {
  it.each([0o000, 0o022, 0o077])('makes every new folder with its mode under the umask %o', async (mask) => {
    const folder = scratch();
    await withUmask(mask, () => ensureDir(path.join(folder, 'a', 'b'), 0o700));
    await withUmask(mask, () => ensureDir(path.join(folder, 'c'), 0o755));
    expect(['a', 'a/b', 'c'].map((name) => modeOf(path.join(folder, name)))).toEqual(['0700', '0700', '0755']);
  });

  it('mends the mode of the folder itself, not of those above', async () => {
    const folder = scratch();
    mkdirSync(path.join(folder, 'a', 'b'), { recursive: true, mode: 0o755 });
    await ensureDir(path.join(folder, 'a', 'b'), 0o700);
    expect([modeOf(path.join(folder, 'a')), modeOf(path.join(folder, 'a/b'))]).toEqual(['0755', '0700']);
  });

  it('a file in its way says so', async () => {
    const file = path.join(scratch(), 'a');
    writeFileSync(file, '');
    await expect(ensureDir(file, 0o700)).rejects.toMatchObject({ code: 'NOT_WRITABLE', exitCode: 3 });
    await expect(ensureDir(path.join(file, 'b'), 0o700)).rejects.toMatchObject({ code: 'NOT_WRITABLE', exitCode: 3 });
  });
});

describe('what interrupted runs left', () => {
  it('is removed, and no neighbour', async () => {
    const folder = scratch();
    const target = path.join(folder, 'data');
    const [fresh, other] = [freshBeside(target, 'new'), freshBeside(target, 'new')];
    expect(fresh).not.toBe(other);
    for (const left of [fresh, other, `${target}.new`]) mkdirSync(path.join(left, 'base', '1'), { recursive: true });
    for (const kept of ['data', 'data.newer', 'other.new']) mkdirSync(path.join(folder, kept));
    await sweepBeside(target, 'new');
    expect(readdirSync(folder).sort()).toEqual(['data', 'data.newer', 'other.new']);
    await sweepBeside(path.join(folder, 'nowhere', 'data'), 'new');
  });

  it('in the place of a folder that is to be moved there is told as what it is', async () => {
    const folder = scratch();
    for (const name of ['a', 'b/c']) mkdirSync(path.join(folder, name), { recursive: true });
    const error = await rename(path.join(folder, 'a'), path.join(folder, 'b')).catch((reason: unknown) => fileError('/x/b', reason));
    expect(error).toMatchObject({ code: 'NOT_WRITABLE', exitCode: 3, message: expect.stringContaining('/x/b') as string });
  });
});
