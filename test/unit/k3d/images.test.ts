import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { localImage, pullImage } from '../../../src/clients/docker-images.js';
import type { ForgeError } from '../../../src/errors.js';
import { ensureLocal } from '../../../src/runtimes/k3d/images.js';
import { bringImage } from '../../../src/runtimes/k3d/import.js';
import { codeOf, fakePrograms, type Answer } from './fakes.js';

const fakes = fakePrograms();
const signal = new AbortController().signal;
const NO_IMAGE: Answer = { err: 'Error response from daemon: No such image: x:1\n', code: 1 };

describe('an image of this machine', () => {
  it.each<[string, Answer | string, string]>([
    ['is there', '[{"Id":"sha256:1","Size":42}]', 'none'],
    ['is not there', NO_IMAGE, 'none'],
    ['cannot be seen: nonsense', 'yes\n', 'DOCKER_ANSWER_UNKNOWN'],
    ['cannot be seen: nothing', '', 'DOCKER_ANSWER_UNKNOWN'],
    ['cannot be seen: an empty list', '[]', 'DOCKER_ANSWER_UNKNOWN'],
    ['cannot be seen: a failure', { err: 'Error response from daemon: disk on fire\n', code: 1 }, 'DOCKER_FAILED'],
  ])('%s', async (what, answer, code) => {
    fakes.docker({ 'image inspect': answer });
    expect(await codeOf(localImage('x:1'))).toBe(code);
    if (code === 'none') expect((await localImage('x:1'))?.bytes).toBe(what === 'is there' ? 42 : undefined);
  });
});

describe('pulling', () => {
  it('tells how many layers are here', async () => {
    const lines = [
      '17: Pulling from x',
      'aaaaaaaaaaaa: Pulling fs layer',
      'bbbbbbbbbbbb: Already exists',
      'aaaaaaaaaaaa: Pull complete',
      'Status: done',
    ];
    fakes.docker({ pull: `${lines.join('\n')}\n` });
    const seen: string[] = [];
    await pullImage('x:17', (text) => seen.push(text), { signal });
    expect(seen).toEqual(['pulling x:17', 'pulling x:17: 0 of 1 layers', 'pulling x:17: 1 of 2 layers', 'pulling x:17: 2 of 2 layers']);
  });

  it.each<[string, string, number, RegExp]>([
    ['an image that nobody has', 'Error response from daemon: manifest for x:1 not found: manifest unknown\n', 3, /another image/],
    ['one that needs a login', 'Error response from daemon: pull access denied for x, repository does not exist\n', 3, /docker login/],
    ['too much for one day', 'Error response from daemon: toomanyrequests: You have reached your pull rate limit\n', 4, /docker login/],
    ['no network', 'Error response from daemon: Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host\n', 4, /images load/],
    ['a full disk', 'write /var/lib/x: no space left on device\n', 3, /docker system df/],
  ])('%s', async (_what, err, exitCode, hint) => {
    fakes.docker({ pull: { err, code: 1 } });
    const error = (await pullImage('x:1', () => undefined, { signal }).catch((thrown: unknown) => thrown)) as ForgeError;
    expect({ code: error.code, exitCode: error.exitCode }).toEqual({ code: 'IMAGE_PULL_FAILED', exitCode });
    expect(error.message).toContain('x:1');
    expect(error.hint).toMatch(hint);
  });

  it('is left out for what is here, and refused offline', async () => {
    fakes.docker({ 'image inspect': NO_IMAGE });
    expect(await codeOf(ensureLocal('x:1', { signal, progress: () => undefined, offline: true }))).toBe('IMAGES_MISSING');
    fakes.docker({ 'image inspect': '[{"Id":"sha256:1","Size":42}]' });
    expect((await ensureLocal('x:1', { signal, progress: () => undefined, offline: true })).pulled).toBe(false);
    expect(fakes.calls().filter((call) => call.startsWith('docker pull'))).toEqual([]);
  });
});

describe('bringing images into the node', () => {
  const work = { signal, progress: () => undefined, offline: false };
  const streams = (): string[] => fakes.calls().filter((call) => call.startsWith('docker save'));

  const here = { 'image inspect': '[{"Id":"sha256:1","Size":42}]', exec: { does: 'cat >/dev/null' } };

  it('those that are asked for together share streams, as many as the machine has cores for', async () => {
    fakes.docker({ ...here, save: 'tar' });
    await Promise.all(['a:1', 'b:1', 'c:1'].map((image) => bringImage(image, 'one', work)));
    const expected = Math.min(3, Math.max(1, Math.floor(availableParallelism() / 2)));
    expect(streams()).toHaveLength(expected);
    expect(
      streams()
        .join(' ')
        .match(/[abc]:1/g)
        ?.sort(),
    ).toEqual(['a:1', 'b:1', 'c:1']);
  });

  it('one that fails lets only its own task fail', async () => {
    fakes.docker({ ...here, save: { does: 'case "$*" in *b:1*) echo "no such image" >&2; exit 1;; esac' } });
    const ended = await Promise.all(['a:1', 'b:1', 'c:1'].map((image) => codeOf(bringImage(image, 'two', work))));
    expect(ended).toEqual(['none', 'IMAGE_IMPORT_FAILED', 'none']);
  });

  it('a save that fails behind an import that does not is a failure', async () => {
    fakes.docker({ ...here, save: { err: 'disk on fire\n', code: 1 } });
    expect(await codeOf(bringImage('a:1', 'three', work))).toBe('IMAGE_IMPORT_FAILED');
  });

  it('Ctrl-C ends it', async () => {
    fakes.docker({ ...here, save: { does: 'sleep 60' } });
    const stop = new AbortController();
    const started = Date.now();
    const ended = bringImage('a:1', 'four', { ...work, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped by hand')), 300);
    await expect(ended).rejects.toThrow('stopped by hand');
    expect(Date.now() - started).toBeLessThan(10_000);
  });
});
