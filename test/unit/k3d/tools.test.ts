import { describe, expect, it } from 'vitest';
import { dockerEngine, isOlder } from '../../../src/clients/docker.js';
import { clusterKubeconfig, k3dVersion, listClusters } from '../../../src/clients/k3d.js';
import { ExitCode, ForgeError } from '../../../src/errors.js';
import { requireK3d, whyNotK3d } from '../../../src/runtimes/k3d/require.js';
import { codeOf, dockerVersion, fakePrograms, type Answer } from './fakes.js';

const fakes = fakePrograms();
const CANNOT_CONNECT = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n';
const NO_SERVER = '{"Client":{"Version":"28.2.2","ApiVersion":"1.50"},"Server":null}\n';
const podman = (version: string): string => dockerVersion(version, { Components: [{ Name: 'Podman Engine', Version: version }] });

describe('the Docker of this machine', () => {
  it.each<[string, Answer | string | undefined, string]>([
    ['there is none', undefined, 'DOCKER_MISSING'],
    ['it is too old', dockerVersion('19.03.15'), 'DOCKER_TOO_OLD'],
    ['it is a patch too old', dockerVersion('20.10.4'), 'DOCKER_TOO_OLD'],
    ['it is old enough', dockerVersion('20.10.5+dfsg1'), 'none'],
    ['it is new', dockerVersion('29.0.0'), 'none'],
    ["it is somebody's own build", dockerVersion('dev'), 'none'],
    ['Podman serves the socket', podman('4.9.3'), 'none'],
    ['Podman is too old', podman('3.4.4'), 'DOCKER_TOO_OLD'],
    ['the engine does not run', { out: NO_SERVER, err: CANNOT_CONNECT, code: 1 }, 'DOCKER_UNREACHABLE'],
    [
      'the socket is not there',
      { err: 'error during connect: Get "http://%2Fvar": dial unix /x.sock: connect: no such file\n', code: 1 },
      'DOCKER_UNREACHABLE',
    ],
    [
      'the user may not',
      {
        out: NO_SERVER,
        err: 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock\n',
        code: 1,
      },
      'DOCKER_FORBIDDEN',
    ],
    ["it is Podman's stand-in", '{"Client":{"APIVersion":"4.9.3","Version":"4.9.3","OsArch":"linux/amd64"}}', 'DOCKER_IS_PODMAN'],
    ['it says nothing', '', 'DOCKER_ANSWER_UNKNOWN'],
    ['it says nonsense', 'Segmentation fault\n', 'DOCKER_ANSWER_UNKNOWN'],
    ['it says JSON of something else', '[1,2]', 'DOCKER_ANSWER_UNKNOWN'],
    ['it names no engine', NO_SERVER, 'DOCKER_ANSWER_UNKNOWN'],
    ['it fails for no known reason', { err: 'flux capacitor\n', code: 3 }, 'DOCKER_ANSWER_UNKNOWN'],
  ])('%s', async (_what, answer, code) => {
    fakes.docker(answer === undefined ? undefined : { version: answer });
    expect(await codeOf(dockerEngine())).toBe(code);
  });

  it('one that hangs is told after the time that it was given', async () => {
    fakes.docker({ version: { does: 'sleep 30' } });
    const started = Date.now();
    expect(await codeOf(dockerEngine({ timeoutSeconds: 0.3 }))).toBe('DOCKER_UNREACHABLE');
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  it.each([
    ['20.10.24+dfsg1', false],
    ['20.10.5', false],
    ['20.10.4', true],
    ['19.99.99', true],
    ['21', false],
    ['v5-dev', false],
  ])('version %s is older than 20.10.5: %s', (version, older) => {
    expect(isOlder(version, version.startsWith('v5') ? [5, 6, 0] : [20, 10, 5])).toBe(older);
  });
});

describe('the k3d of this machine', () => {
  it.each<[string, Answer | string | undefined, string]>([
    ['there is none', undefined, 'K3D_MISSING'],
    ['it is too old', 'k3d version v5.4.9\n', 'K3D_TOO_OLD'],
    ['it is old enough', 'k3d version v5.6.0\nk3s version v1.27.4-k3s1 (default)\n', 'none'],
    ["it is somebody's own build", 'k3d version v5-dev\n', 'none'],
    ['it says nothing', '', 'K3D_ANSWER_UNKNOWN'],
    ['it says nonsense', 'hello\n', 'K3D_ANSWER_UNKNOWN'],
    ['it fails', { err: 'no\n', code: 1 }, 'K3D_ANSWER_UNKNOWN'],
  ])('%s', async (_what, answer, code) => {
    fakes.k3d(answer === undefined ? undefined : { version: answer });
    expect(await codeOf(k3dVersion())).toBe(code);
  });

  it.each<[string, Answer | string, string]>([
    ['an empty answer', '', 'K3D_ANSWER_UNKNOWN'],
    ['garbage', 'INFO[0000] no clusters\n', 'K3D_ANSWER_UNKNOWN'],
    ['an object', '{}', 'K3D_ANSWER_UNKNOWN'],
    ['clusters of another shape', '[{"Name":"x"}]', 'K3D_ANSWER_UNKNOWN'],
    ['half of an answer', '[{"name":"x","nodes":[', 'K3D_ANSWER_UNKNOWN'],
    ['null', 'null', 'K3D_ANSWER_UNKNOWN'],
    ['Docker is gone', { err: `FATA[0000] failed to list nodes: ${CANNOT_CONNECT}`, code: 1 }, 'DOCKER_UNREACHABLE'],
    ['another failure', { err: 'FATA[0000] kaputt\n', code: 1 }, 'K3D_FAILED'],
    ['no clusters', '[]\n', 'none'],
  ])('its list of clusters: %s', async (_what, answer, code) => {
    fakes.k3d({ 'cluster list': answer });
    expect(await codeOf(listClusters())).toBe(code);
  });

  it('of many lines the one that tells of the engine is shown, without colours', async () => {
    const err = `\u001b[31mERRO\u001b[0m[0001] failed to list nodes: ${CANNOT_CONNECT}\u001b[31mFATA\u001b[0m[0002] Cluster creation FAILED\n`;
    fakes.k3d({ 'cluster list': { err, code: 1 } });
    const error = (await listClusters().catch((thrown: unknown) => thrown)) as ForgeError;
    expect(error.message).toBe(`Docker does not answer: failed to list nodes: ${CANNOT_CONNECT.trim()}`);
  });

  it('what is no kubeconfig is not written anywhere', async () => {
    fakes.k3d({ 'kubeconfig get': 'apiVersion: v1\nkind: ConfigMap\n' });
    expect(await codeOf(clusterKubeconfig('x', {}))).toBe('K3D_ANSWER_UNKNOWN');
  });
});

describe('what the runtime k3d needs', () => {
  const errorOf = async (): Promise<ForgeError> => {
    const error = await requireK3d().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ForgeError);
    return error as ForgeError;
  };

  it('both are told at once where both lack', async () => {
    fakes.docker({ version: { out: NO_SERVER, err: CANNOT_CONNECT, code: 1 } });
    fakes.k3d(undefined);
    const { code, message, hint, exitCode } = await errorOf();
    expect({ code, exitCode }).toEqual({ code: 'MISSING_TOOLS', exitCode: ExitCode.lacking });
    expect(message).toContain('Docker does not answer');
    expect(message).toContain('There is no k3d');
    expect(hint).toMatch(/Start Docker[\s\S]*k3d/);
  });

  it('one that lacks keeps its own code', async () => {
    fakes.k3d(undefined);
    const { code, exitCode } = await errorOf();
    expect({ code, exitCode }).toEqual({ code: 'K3D_MISSING', exitCode: ExitCode.lacking });
  });

  it('an answer that is not understood comes before what lacks', async () => {
    fakes.docker({ version: 'nonsense' });
    fakes.k3d(undefined);
    expect((await errorOf()).code).toBe('DOCKER_ANSWER_UNKNOWN');
  });

  it.each([
    ['tcp://build.example.org:2376', 'DOCKER_REMOTE'],
    ['ssh://me@far.example.org', 'DOCKER_REMOTE'],
    ['ssh://localhost.example.org', 'DOCKER_REMOTE'],
    ['tcp://127.0.0.1:2375', 'none'],
    ['ssh://me@localhost:22', 'none'],
    ['unix:///run/user/1000/docker.sock', 'none'],
  ])('DOCKER_HOST=%s: %s', async (host, code) => {
    process.env['DOCKER_HOST'] = host;
    expect(await codeOf(requireK3d())).toBe(code);
  });

  it('a context of another machine is refused, too', async () => {
    fakes.docker({ 'context inspect': 'ssh://far.example.org\n' });
    expect(await codeOf(requireK3d())).toBe('DOCKER_REMOTE');
  });

  it.each<[string, () => void, RegExp | undefined]>([
    ['both are there', () => undefined, undefined],
    ['no docker', () => fakes.docker(undefined), /^there is no Docker$/],
    ['no k3d', () => fakes.k3d(undefined), /^there is no k3d$/],
    [
      'an engine that does not run',
      () => fakes.docker({ version: { out: NO_SERVER, err: CANNOT_CONNECT, code: 1 } }),
      /^docker does not answer: Cannot connect/,
    ],
    ['nonsense', () => fakes.docker({ version: 'nonsense' }), /cannot be understood/],
  ])('auto says in one line why it does not take k3d: %s', async (_what, arrange, why) => {
    arrange();
    const found = await whyNotK3d();
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(why);
    expect(found ?? '').not.toContain('\n');
  });
});
