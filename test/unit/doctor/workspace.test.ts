import { chmodSync, chownSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import type { Check, Place, StackPlace, Trouble } from '../../../src/doctor/check.js';
import { credentialsDamaged } from '../../../src/doctor/checks/workspace/credentials.js';
import { leftOver } from '../../../src/doctor/checks/workspace/left-over.js';
import { lockStale } from '../../../src/doctor/checks/workspace/lock.js';
import { fileModes } from '../../../src/doctor/checks/workspace/modes.js';
import { configInvalid, overrides } from '../../../src/doctor/checks/workspace/settings.js';
import { selectionChanged, stateDamaged } from '../../../src/doctor/checks/workspace/state.js';
import { examineStack } from '../../../src/lifecycle/doctor.js';
import { bootId, processStartTime } from '../../../src/workspace/identity.js';
import { openStack } from '../../../src/workspace/open.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { isRoot, modeOf, scratch, unprivileged } from '../../helpers/folders.js';

let workspace: Workspace;
beforeEach(async () => {
  workspace = workspaceAt(scratch());
  await prepareWorkspace(workspace);
});

const write = (name: string, text: string, mode = 0o600): void => writeFileSync(path.join(workspace.forgeDir, name), text, { mode });
const signal = new AbortController().signal;
const look = (check: Check<Place>): Promise<Trouble[]> =>
  check.look({ workspace, cacheDir: '/nowhere', packageRoot: packageRoot(), signal, share: (_key, make) => make(signal) });

test('a workspace as forge makes it, and a folder that holds nothing, are fine', async () => {
  const checks = [configInvalid, stateDamaged, fileModes, credentialsDamaged, lockStale];
  write('credentials/aws.json', '{"accessKeyId": "a"}');
  for (const check of checks) expect(await look(check), check.id).toEqual([]);
  workspace = workspaceAt(path.join(scratch(), 'none'));
  for (const check of checks) expect(await look(check), check.id).toEqual([]);
});

describe('settings', () => {
  test('what is wrong in forge.yaml is named with its line', async () => {
    writeFileSync(workspace.configFile, 'topic:\n  nmae: x\n');
    const [found] = await look(configInvalid);
    expect(found?.cause).toMatch(/forge\.yaml:2:3: topic\.nmae: unknown key.*name/);
    expect(found?.remedy).toContain(workspace.configFile);
  });

  test('a stack that there is not is named, with who asks for it', async () => {
    writeFileSync(workspace.configFile, 'stack: nope\n');
    const { findings, couldNotRun } = await examineStack({
      folder: workspace.root,
      cacheDir: '/nowhere',
      packageRoot: packageRoot(),
      flags: { runtime: 'process', catalog: 'iceberg-rest' },
      only: 'kafka',
      signal,
    });
    expect(findings).toMatchObject([
      {
        id: 'config-invalid',
        severity: 'error',
        cause: `There is no stack "nope" (asked for by ${workspace.configFile})`,
        remedy: expect.stringContaining('balloon-popper') as string,
      },
    ]);
    expect(couldNotRun.map(({ id }) => id)).toContain('kafka-answers');
  });

  test('a variable that is no setting, or no value of one, is named', async () => {
    vi.stubEnv('FORGE_TOPIC_PARTITIONS', 'many');
    expect((await look(configInvalid))[0]?.cause).toMatch(/FORGE_TOPIC_PARTITIONS/);
    vi.unstubAllEnvs();
  });

  test('a variable stands against the file only when both say something, and not the same', async () => {
    writeFileSync(workspace.configFile, 'engine: flink\ntopic: { partitions: 2 }\n');
    const told = async (env: Record<string, string>): Promise<string[]> =>
      (await overrides(workspace.configFile, env)).map(({ cause }) => cause);
    expect(await told({ FORGE_CATALOG: 'polaris', FORGE_ENGINE: 'flink' })).toEqual([]);
    expect(await told({ FORGE_TOPIC_PARTITIONS: '3' })).toEqual([
      'topic.partitions is 2 in forge.yaml, and FORGE_TOPIC_PARTITIONS makes it 3',
    ]);
  });
});

describe('what up was told', () => {
  const kept = { version: 1, stack: 'balloon-popper', runtime: 'process', engine: 'flink', catalog: 'iceberg-rest', ports: {} };

  test.each([
    ['{"version": 1, "sta', /damaged/, /is not JSON/],
    ['', /damaged/, /is not JSON/],
    ['{"version": 99}', /newer forge/, /newer forge/],
  ])('%j', async (text, title, cause) => {
    write('stack.json', text);
    const [found] = await look(stateDamaged);
    expect(found?.title).toMatch(title);
    expect(found?.cause).toMatch(cause);
    expect(found?.fix).toBeUndefined();
  });

  test('another choice than the one that is up is named, with who asks for it', async () => {
    write('stack.json', JSON.stringify(kept));
    const seen = async (): Promise<Trouble[]> => {
      const { stack } = await openStack({ root: workspace.root, env: process.env, cacheDir: '/nowhere', packageRoot: packageRoot() });
      return selectionChanged.look({ stack } as StackPlace);
    };
    vi.stubEnv('FORGE_RUNTIME', '');
    expect(await seen()).toEqual([]);
    writeFileSync(workspace.configFile, 'catalog: polaris\n');
    expect((await seen())[0]?.cause).toBe('catalog is iceberg-rest, and polaris is asked for (forge.yaml)');
    vi.stubEnv('FORGE_ENGINE', 'risingwave');
    expect((await seen())[0]?.cause).toMatch(/^engine is flink, and risingwave is asked for \(FORGE_ENGINE\); catalog /);
    vi.unstubAllEnvs();
  });
});

describe('modes', () => {
  test('what others can read is named, and --fix takes it away from them alone', async () => {
    write('credentials/aws.json', '{}', 0o600);
    write('generated/run.sh', '', 0o700);
    write('kubeconfig', '', 0o600);
    chmodSync(path.join(workspace.credentials, 'aws.json'), 0o644);
    chmodSync(workspace.generated, 0o755);
    chmodSync(path.join(workspace.forgeDir, 'kubeconfig'), 0o660);
    const [found, ...others] = await look(fileModes);
    expect(others).toEqual([]);
    for (const part of ['credentials/aws.json has mode 0644', 'generated has mode 0755', 'kubeconfig has mode 0660'])
      expect(found?.cause).toContain(part);
    expect(found?.cause).not.toContain('run.sh');
    await found?.fix?.run?.(signal);
    expect(await look(fileModes)).toEqual([]);
    expect(
      ['credentials/aws.json', 'generated', 'generated/run.sh', 'kubeconfig'].map((name) => modeOf(path.join(workspace.forgeDir, name))),
    ).toEqual(['0600', '0700', '0700', '0600']);
  });

  test.runIf(isRoot)('what belongs to somebody else is told first, and its mode is left to its owner', async () => {
    const [mine, theirs] = ['views', 'aws'].map((name) => path.join(workspace.credentials, `${name}.json`)) as [string, string];
    for (const file of [mine, theirs]) {
      writeFileSync(file, '{}');
      chmodSync(file, 0o644);
    }
    for (const file of [workspace.forgeDir, workspace.credentials, workspace.generated, mine]) chownSync(file, 65534, 65534);
    chmodSync(workspace.root, 0o755);
    await unprivileged(async () => {
      const [strange, open, ...others] = await look(fileModes);
      expect(others).toEqual([]);
      expect([strange?.title, strange?.fix]).toEqual(['Private files belong to somebody else', undefined]);
      expect([open?.cause.includes('views.json'), open?.cause.includes('aws.json')]).toEqual([true, false]);
      await open?.fix?.run?.(signal);
      // It was given away since it was looked at.
      process.seteuid!(0);
      chownSync(mine, 0, 0);
      process.seteuid!(65534);
      await expect(open?.fix?.run?.(signal)).rejects.toMatchObject({ code: 'NOT_WRITABLE' });
    });
    expect([modeOf(mine), modeOf(theirs)]).toEqual(['0600', '0644']);
  });

  test('what a symbolic link leads to is not touched', async () => {
    const outside = path.join(scratch(), 'theirs');
    writeFileSync(outside, '', { mode: 0o644 });
    chmodSync(outside, 0o644);
    symlinkSync(outside, path.join(workspace.generated, 'link'));
    expect(await look(fileModes)).toEqual([]);
    expect(modeOf(outside)).toBe('0644');
  });
});

describe('credentials', () => {
  test('a half file and a symbolic link are named; nothing of what is in them is shown', async () => {
    write('credentials/aws.json', '{"secretAccessKey": "half-of-a-secr');
    const outside = path.join(scratch(), 'theirs.json');
    writeFileSync(outside, '{"password": "of-somebody-else"}');
    symlinkSync(outside, path.join(workspace.credentials, 'views.json'));
    const found = await look(credentialsDamaged);
    expect(found.map(({ title }) => title).sort()).toEqual(['The credential aws cannot be read', 'The credential views cannot be read']);
    expect(JSON.stringify(found)).toMatch(/symbolic link/);
    expect(JSON.stringify(found)).not.toMatch(/half-of|of-somebody/);
    expect(readdirSync(workspace.credentials).sort()).toEqual(['aws.json', 'views.json']);
  });
});

describe('the lock', () => {
  const holder = {
    pid: process.pid,
    startTime: processStartTime(process.pid),
    bootId: bootId(),
    host: hostname(),
    command: 'up',
    since: '2026-11-21T12:00:00.000Z',
    token: 'x',
  };

  test('of a command that runs is nothing to be told', async () => {
    write('lock', JSON.stringify(holder));
    expect(await look(lockStale)).toEqual([]);
  });

  test.each([{ startTime: '1' }, { bootId: 'before', host: hostname() }])('of one that was killed (%j) can be mended', async (change) => {
    write('lock', JSON.stringify({ ...holder, ...change }));
    const [found] = await look(lockStale);
    expect(found?.cause).toContain(`forge up\` (pid ${process.pid}`);
    expect(found?.fix).toBeDefined();
  });

  test('half a file is nobody’s; one of another machine is never taken', async () => {
    write('lock', '{"pid":');
    expect((await look(lockStale))[0]?.fix).toBeDefined();
    write('lock', JSON.stringify({ ...holder, bootId: 'other', host: 'other-machine' }));
    const [found] = await look(lockStale);
    expect(found?.cause).toContain('other-machine');
    expect(found?.fix).toBeUndefined();
  });
});

describe('left-over variables', () => {
  const at = (port: number, url: (host: string) => string) => {
    const here = { host: '127.0.0.1', port, url: url(`127.0.0.1:${port}`) };
    return { ...here, inside: here };
  };
  const endpoints = {
    kafka: at(19094, (host) => host),
    localstack: at(4566, (host) => `http://${host}`),
    postgresql: at(15432, (host) => `postgresql://${host}/x`),
    catalog: at(18181, (host) => `http://${host}`),
    flink: at(18081, (host) => `http://${host}`),
  };
  const told = (env: NodeJS.ProcessEnv): string[] => leftOver({ endpoints, engine: 'flink' }, env).map(({ cause }) => cause);

  test.each([
    {},
    { KAFKA_BOOTSTRAP_SERVERS: 'localhost:19094', AWS_ENDPOINT_URL: 'http://localhost:4566/', PGHOST: 'localhost', PGPORT: '15432' },
    // Other work of the same person.
    { PGHOST: 'db.example.com', AWS_ENDPOINT_URL: 'https://s3.example.com' },
  ])('%j is fine', (env) => expect(told(env)).toEqual([]));

  test.each([
    [
      { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:19999' },
      /KAFKA_BOOTSTRAP_SERVERS is 127\.0\.0\.1:19999, and the stack is at 127\.0\.0\.1:19094/,
    ],
    [{ KAFKA_BOOTSTRAP_SERVERS: 'kafka.example.com:9092' }, /kafka\.example\.com/],
    [{ AWS_ENDPOINT_URL: 'http://me:word@localhost:4999' }, /AWS_ENDPOINT_URL is http:\/\/\*\*\*@localhost:4999/],
    [{ PGPORT: '5555' }, /PGHOST and PGPORT is 127\.0\.0\.1:5555/],
    [{ ICEBERG_REST_URI: 'http://127.0.0.1:1', FLINK_URL: 'http://127.0.0.1:2' }, /ICEBERG_REST_URI.*; FLINK_URL/],
  ])('%j is told', (env, cause) => expect(told(env)[0]).toMatch(cause));
});
