import { expect, test } from 'vitest';
import type { StackPlace } from '../../../src/doctor/check.js';
import { dockerAnswers } from '../../../src/doctor/checks/machine/docker.js';
import { dockerVersion, fakePrograms, type Answer } from '../k3d/fakes.js';

const fakes = fakePrograms();
const K3D = 'k3d version v5.9.0\nk3s version v1.36.4-k3s1 (default)\n';
const NO_SERVER = '{"Client":{"Version":"28.2.2","ApiVersion":"1.50"},"Server":null}\n';
const place = { signal: new AbortController().signal } as StackPlace;

test.each<[string, Answer | string | undefined, string | undefined, string[]]>([
  ['all is well', dockerVersion('28.2.2'), K3D, []],
  ['no Docker', undefined, K3D, ['There is no Docker on this machine']],
  ['no k3d', dockerVersion('28.2.2'), undefined, ['There is no k3d on this machine']],
  ['neither', undefined, undefined, ['Docker and k3d are missing']],
  ['an old Docker', dockerVersion('19.03.15'), K3D, ['Docker is too old']],
  ['an old k3d', dockerVersion('28.2.2'), 'k3d version v4.4.8\n', ['k3d is too old']],
  [
    'Docker does not run',
    { out: NO_SERVER, err: 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n', code: 1 },
    K3D,
    ['Docker does not answer'],
  ],
  [
    'this user may not',
    { out: NO_SERVER, err: 'permission denied while trying to connect to the Docker daemon socket at unix:///x\n', code: 1 },
    K3D,
    ['This user may not use Docker'],
  ],
  ['nonsense', 'Segmentation fault\n', K3D, ['Docker or k3d cannot be used']],
])('%s', async (_what, docker, k3d, titles) => {
  fakes.docker(docker === undefined ? undefined : { version: docker });
  fakes.k3d(k3d === undefined ? undefined : { version: k3d });
  const found = await dockerAnswers.look(place);
  expect(found.map(({ title }) => title)).toEqual(titles);
  for (const { cause, remedy } of found) expect([cause, remedy].every((text) => text.length > 20)).toBe(true);
});
