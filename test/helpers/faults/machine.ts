import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootId } from '../../../src/workspace/identity.js';
import type { Sandbox } from '../forge.js';
import type { Fault } from './fault.js';
import { killServer } from './kill.js';

const inForge = (box: Sandbox, ...names: string[]): string => join(box.root, '.forge', ...names);

/** Puts another text into a file of .forge, and back. */
const spoiled = (box: Sandbox, name: string, spoil: (text: string) => string): (() => void) => {
  const file = inForge(box, name);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, spoil(text));
  return () => writeFileSync(file, text);
};

const configured =
  (text: string) =>
  (box: Sandbox): (() => void) => {
    const file = join(box.root, 'forge.yaml');
    writeFileSync(file, text);
    return () => rmSync(file);
  };

function lockedBy(box: Sandbox, holder: { pid: number; bootId: string; host: string }): undefined {
  const more = { startTime: '1', command: 'up', since: '2026-11-21T12:00:00.000Z', token: 'crafted' };
  writeFileSync(inForge(box, 'lock'), JSON.stringify({ ...holder, ...more }), { mode: 0o600 });
  return undefined;
}

/** Listens on a port as any other program would; gives what ends it. */
function listen(port: number): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(() => new Promise((done) => server.close(() => done()))));
  });
}

/** A disk of 64 KiB; undefined where nothing may be mounted. */
function tinyDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'forge-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return folder;
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const isRoot = process.getuid?.() === 0;
const disk = tinyDisk();
const NOWHERE = '/nowhere';

const machine: Fault[] = [
  {
    name: 'a stranger takes the port of a server that was killed',
    async inject(box) {
      const { ports } = JSON.parse(readFileSync(inForge(box, 'stack.json'), 'utf8')) as { ports: Record<string, number> };
      await killServer(box, 'iceberg-rest');
      return listen(ports['catalog']!);
    },
    finding: { id: 'port-taken', component: 'iceberg-rest', cause: /^process \d+ \(.+\) listens on \d+, and is no server/ },
    mend: 'undo',
  },
  {
    name: 'a proxy stands between tools and the stack',
    env: { HTTP_PROXY: 'http://proxy.example:3128', NO_PROXY: 'localhost', no_proxy: '' },
    finding: { id: 'proxy-loopback', severity: 'warning', cause: /HTTP_PROXY is set, and NO_PROXY is localhost/ },
    mend: 'undo',
  },
  {
    name: 'no Maven and no Python, and the packages are not installed',
    env: { PATH: NOWHERE, HOME: NOWHERE, MAVEN_HOME: '', M2_HOME: '', FORGE_CACHE_DIR: join(tmpdir(), 'forge-no-cache') },
    finding: { id: 'toolchain-missing', cause: /Maven 3\.6 or newer/ },
    mend: 'undo',
  },
  {
    name: 'no Docker for the runtime k3d',
    env: { PATH: NOWHERE, FORGE_RUNTIME: 'k3d' },
    finding: { id: 'docker-answers', cause: /There is no docker on this machine/ },
    mend: 'undo',
  },
  ...(disk === undefined
    ? []
    : [
        {
          name: 'the disk of the cache is full',
          env: { FORGE_CACHE_DIR: disk },
          inject: () => {
            mkdirSync(disk, { recursive: true });
            execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
            return () => {
              execFileSync('umount', [disk]);
              rmSync(disk, { recursive: true });
            };
          },
          finding: { id: 'disk-space', cause: /0 MiB are free below/ },
          mend: 'undo' as const,
        },
      ]),
];

const settings: Fault[] = [
  {
    name: 'forge.yaml has an unknown key',
    inject: configured('topic: { nmae: games }\n'),
    finding: { id: 'config-invalid', cause: /forge\.yaml:1:10: topic\.nmae: unknown key/ },
    mend: 'undo',
  },
  {
    name: 'forge.yaml is no YAML',
    inject: configured('topic: [\n'),
    finding: { id: 'config-invalid', cause: /forge\.yaml:\d+:\d+/ },
    mend: 'undo',
  },
  {
    name: 'forge.yaml asks for a stack that there is not',
    inject: configured('stack: nope\n'),
    finding: { id: 'config-invalid', cause: /There is no stack "nope" \(asked for by .*forge\.yaml\)/ },
    mend: 'undo',
  },
  {
    name: 'a variable names a setting that there is not',
    env: { FORGE_TOPIC_PARTITION: '2' },
    finding: { id: 'config-invalid', cause: /FORGE_TOPIC_PARTITION: there is no such setting/ },
    mend: 'undo',
  },
  {
    name: 'forge.yaml asks for another catalog than the one that is up',
    inject: configured('catalog: polaris\n'),
    finding: { id: 'selection-changed', cause: /^catalog is iceberg-rest, and polaris is asked for \(forge\.yaml\)/ },
    mend: 'undo',
  },
  {
    name: 'a variable stands against forge.yaml',
    env: { FORGE_COMPONENTS_POLARIS_HEAP: '512m' },
    inject: configured('components: { polaris: { heap: 256m } }\n'),
    finding: { id: 'variables-override', severity: 'warning', cause: /FORGE_COMPONENTS_POLARIS_HEAP makes it 512m/ },
    mend: 'undo',
  },
  {
    name: 'KAFKA_BOOTSTRAP_SERVERS is left over from another stack',
    env: { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9092' },
    finding: { id: 'variables-left-over', severity: 'warning', cause: /^KAFKA_BOOTSTRAP_SERVERS is 127\.0\.0\.1:9092/ },
    mend: 'undo',
  },
  {
    name: 'PGPORT is left over from another stack',
    env: { PGHOST: '127.0.0.1', PGPORT: '1' },
    finding: { id: 'variables-left-over', severity: 'warning', cause: /PGPORT is 127\.0\.0\.1:1/ },
    mend: 'undo',
  },
];

const files: Fault[] = [
  {
    name: 'stack.json is cut off',
    inject: (box) => spoiled(box, 'stack.json', (text) => text.slice(0, 60)),
    finding: { id: 'state-damaged', cause: /stack\.json cannot be read: it is not JSON/ },
    mend: 'undo',
  },
  {
    name: 'stack.json is of a newer forge',
    inject: (box) => spoiled(box, 'stack.json', (text) => text.replace('"version": 1', '"version": 99')),
    finding: { id: 'state-damaged', cause: /written by a newer forge/ },
    mend: 'undo',
  },
  {
    name: 'a credential can be read by others',
    inject: (box) => void chmodSync(inForge(box, 'credentials', 'aws.json'), 0o644),
    finding: { id: 'file-modes', cause: /\.forge\/credentials\/aws\.json has mode 0644/ },
    mend: 'fix',
  },
  {
    name: 'the folder of generated files can be read by others',
    inject: (box) => void chmodSync(inForge(box, 'generated'), 0o755),
    finding: { id: 'file-modes', cause: /\.forge\/generated has mode 0755/ },
    mend: 'fix',
  },
  {
    name: 'a credential is cut off',
    inject: (box) => spoiled(box, 'credentials/views.json', (text) => text.slice(0, text.length / 2)),
    finding: { id: 'credentials-damaged', cause: /views\.json cannot be read: it is not a JSON object/ },
    mend: 'undo',
  },
  {
    name: 'a credential is a symbolic link',
    inject(box) {
      const [file, aside] = [inForge(box, 'credentials', 'views.json'), inForge(box, 'views-aside.json')];
      renameSync(file, aside);
      symlinkSync(aside, file);
      return () => renameSync(aside, file);
    },
    finding: { id: 'credentials-damaged', cause: /views\.json cannot be read: it is a symbolic link/ },
    mend: 'undo',
  },
  {
    name: 'a killed command has left its lock',
    inject: (box) => lockedBy(box, { pid: process.pid, bootId: bootId(), host: 'this' }),
    finding: { id: 'lock-stale', severity: 'warning', cause: /`forge up` \(pid \d+, since .+\) was killed/ },
    mend: 'fix',
  },
  {
    name: 'another machine has the lock',
    inject(box) {
      lockedBy(box, { pid: 2, bootId: 'another', host: 'another-machine' });
      return () => rmSync(inForge(box, 'lock'));
    },
    finding: { id: 'lock-stale', severity: 'warning', cause: /on another-machine \(pid 2\)/ },
    mend: 'undo',
  },
  {
    name: 'a generated file is edited',
    inject: (box) => void appendFileSync(inForge(box, 'generated', 'pipeline.sql'), '-- edited\n'),
    finding: { id: 'generated-files', cause: /pipeline\.sql: its content differs/ },
    mend: 'fix',
  },
];

/** Only root may give a file away. */
const owners: Fault[] = [
  {
    name: 'a credential belongs to somebody else',
    inject(box) {
      const file = inForge(box, 'credentials', 'aws.json');
      chownSync(file, 65534, 65534);
      return () => chownSync(file, 0, 0);
    },
    finding: { id: 'file-modes', cause: /\.forge\/credentials\/aws\.json belongs to user 65534/ },
    mend: 'undo',
  },
];

export const machineFaults: readonly Fault[] = [...machine, ...settings, ...files, ...(isRoot ? owners : [])];
