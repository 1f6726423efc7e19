import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { openStack } from '../../../src/workspace/open.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { scratch } from '../../helpers/folders.js';

/** What a program says to a command, which is named by its first words (`version`, `cluster list`). */
export interface Answer {
  out?: string;
  err?: string;
  code?: number;
  /** Shell that runs before it answers. */
  does?: string;
}

const PROGRAM = `#!/bin/sh
home=$(dirname "$0")/..
printf '%s %s\\n' "$(basename "$0")" "$*" >>"$home/log"
for key in "$1 $2" "$1"; do
  answer="$home/answers/$(basename "$0") $key"
  [ -e "$answer.sh" ] && . "$answer.sh"
  [ -e "$answer.code" ] || continue
  cat "$answer.out"
  cat "$answer.err" >&2
  exit "$(cat "$answer.code")"
done
echo "the fake $(basename "$0") knows no $*" >&2
exit 99`;

export interface Fakes {
  /** Sets or replaces what a program says; undefined takes the program off the machine. */
  docker(answers: Record<string, Answer | string> | undefined): void;
  k3d(answers: Record<string, Answer | string> | undefined): void;
  /** Every command line that was run, in order. */
  calls(): string[];
}

/** Programs `docker` and `k3d` of the test's own, and nothing else of them on PATH; as a whole they show a healthy, empty Docker. */
export function fakePrograms(): Fakes {
  let root = '';
  const before = { ...process.env };
  beforeEach(() => {
    root = scratch();
    mkdirSync(path.join(root, 'answers'));
    mkdirSync(path.join(root, 'bin'));
    // What the scripts and exec.ts need beside them; the machine's own docker and k3d stay out of sight.
    for (const name of ['sh', 'cat', 'dirname', 'basename', 'sleep', 'kill']) {
      const found = ['/bin', '/usr/bin'].map((folder) => path.join(folder, name)).find((file) => existsSync(file));
      if (found !== undefined) writeProgram(path.join(root, 'bin', name), `#!/bin/sh\nexec ${found} "$@"\n`);
    }
    process.env['PATH'] = path.join(root, 'bin');
    for (const name of ['DOCKER_HOST', 'DOCKER_SOCK', 'DOCKER_CONTEXT', 'K3D_IMAGE_TOOLS', 'K3D_HELPER_IMAGE_TAG'])
      delete process.env[name];
    say('docker', EMPTY_DOCKER);
    say('k3d', EMPTY_K3D);
  });
  afterEach(() => {
    process.env = { ...before };
  });
  const say = (program: string, answers: Record<string, Answer | string> | undefined): void => {
    const file = path.join(root, 'bin', program);
    if (answers === undefined) return rmSync(file, { force: true });
    writeProgram(file, PROGRAM);
    for (const [key, given] of Object.entries(answers)) {
      const { out = '', err = '', code = 0, does } = typeof given === 'string' ? { out: given } : given;
      const base = path.join(root, 'answers', `${program} ${key}`);
      writeFileSync(`${base}.out`, out);
      writeFileSync(`${base}.err`, err);
      writeFileSync(`${base}.code`, String(code));
      if (does === undefined) rmSync(`${base}.sh`, { force: true });
      else writeFileSync(`${base}.sh`, does);
    }
  };
  return {
    docker: (answers) => say('docker', answers),
    k3d: (answers) => say('k3d', answers),
    calls: () => {
      const file = path.join(root, 'log');
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    },
  };
}

function writeProgram(file: string, text: string): void {
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}

export const dockerVersion = (version: string, more: object = {}): string =>
  JSON.stringify({
    Client: { Version: '28.2.2', ApiVersion: '1.50' },
    Server: { Version: version, Components: [{ Name: 'Engine', Version: version }], ...more },
  });

const EMPTY_DOCKER: Record<string, Answer | string> = {
  version: dockerVersion('28.2.2'),
  'context inspect': 'unix:///var/run/docker.sock\n',
  ps: '',
  'network ls': '',
  'volume ls': '',
  'container inspect': { out: '[]\n', err: 'Error response from daemon: No such container: x\n', code: 1 },
  'network inspect': { out: '[]\n', err: 'Error response from daemon: network x not found\n', code: 1 },
  'volume inspect': { out: '[]\n', err: 'Error response from daemon: get x: no such volume\n', code: 1 },
};
const EMPTY_K3D: Record<string, Answer | string> = {
  version: 'k3d version v5.9.0\nk3s version v1.33.13-k3s1 (default)\n',
  'cluster list': '[]\n',
};

/** What k3d lists; it leaves out all labels but its own. */
export const clusters = (...names: string[]): string =>
  JSON.stringify(
    names.map((name) => ({
      name,
      nodes: [{ name: `k3d-${name}-server-0`, role: 'server', runtimeLabels: { 'k3d.cluster': name } }],
      serversRunning: 1,
      serversCount: 1,
    })),
  );

export interface FakeContainer {
  name: string;
  status?: string;
  labels: Record<string, string>;
  image?: string;
  command?: string[];
  binds?: string[];
  ports?: Record<number, { HostIp: string; HostPort: string }[]>;
}

/** What Docker says of these containers. */
export const containers = (...given: FakeContainer[]): Record<string, string> => ({
  ps: given.map(({ name }) => `id-of-${name}\n`).join(''),
  'container inspect': JSON.stringify(
    given.map(({ name, status = 'running', labels, image = 'rancher/k3s:v1', command = [], binds = [], ports = {} }) => ({
      Id: `id-of-${name}`,
      Name: `/${name}`,
      State: { Status: status, StartedAt: '2020-01-02T03:04:05.5Z' },
      Config: { Image: image, Labels: labels, Cmd: command },
      HostConfig: {
        Binds: binds,
        PortBindings: Object.fromEntries(Object.entries(ports).map(([inside, bound]) => [`${inside}/tcp`, bound])),
      },
    })),
  ),
});

export const networks = (...given: { name: string; labels?: Record<string, string> }[]): Record<string, string> => ({
  'network ls': given.map(({ name }) => `id-${name} ${name}\n`).join(''),
  'network inspect': JSON.stringify(given.map(({ name, labels = {} }) => ({ Name: name, Labels: labels, Containers: {} }))),
});

export const volumes = (...given: { name: string; labels?: Record<string, string> | null }[]): Record<string, string> => ({
  'volume ls': given.map(({ name }) => `${name}\n`).join(''),
  'volume inspect': JSON.stringify(given.map(({ name, labels = {} }) => ({ Name: name, Labels: labels }))),
});

/** A stack on k3d in a workspace of its own, with free hands at its settings. */
export async function stackAt(
  root: string,
  flags: Record<string, string> = {},
  cacheDir = path.join(root, 'cache'),
): Promise<{ stack: StackContext; workspace: Workspace }> {
  const { stack } = await openStack({
    root,
    env: {},
    cacheDir,
    packageRoot: path.resolve('.'),
    flags: { runtime: 'k3d', engine: 'flink', catalog: 'iceberg-rest', ...flags },
  });
  return { stack, workspace: workspaceAt(root) };
}

/** The code of the error that it ends with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'none';
}
