import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, type LoadedConfig } from '../../../src/config/load.js';
import type { ForgeError } from '../../../src/errors.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'forge-config-'));
  file = path.join(folder, 'forge.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Given {
  yaml?: string;
  env?: Record<string, string>;
  flags?: Record<string, string>;
}

function load({ yaml, env = {}, flags = {} }: Given): Promise<LoadedConfig> {
  if (yaml !== undefined) writeFileSync(file, yaml);
  return loadConfig({ file, env, flags });
}

async function problems(given: Given): Promise<string[]> {
  const error = await load(given).then(
    () => expect.fail('was accepted'),
    (thrown: unknown) => thrown as ForgeError,
  );
  expect(error).toMatchObject({ name: 'ForgeError', code: 'CONFIG_INVALID', exitCode: 2 });
  expect(error.hint).toBeTruthy();
  return error.message
    .split('\n')
    .map((line) => line.replace('The configuration is not valid:', '').trim())
    .filter((line) => line !== '');
}

describe('what wins', () => {
  it('flag over variable over file over default', async () => {
    const yaml = 'topic:\n  name: from-file\n  partitions: 3\ncatalog: polaris\nlake:\n  bucket: from-file\n';
    const env = { FORGE_TOPIC_NAME: 'from-variable', FORGE_CATALOG: 'iceberg-rest' };
    const { config, set } = await load({ yaml, env, flags: { catalog: 'polaris', 'topic.name': 'from-flag' } });
    expect(config.topic).toEqual({ name: 'from-flag', partitions: 3 });
    expect(config.catalog).toBe('polaris');
    expect(config.lake).toMatchObject({ bucket: 'from-file', region: 'us-east-1' });
    expect(set.get('topic.name')).toBe('--topic.name');
    expect(set.get('lake.bucket')).toContain('forge.yaml');
    expect(set.has('lake.region')).toBe(false);
  });

  it('no file, an empty one, and keys with nothing after them are all defaults', async () => {
    const { config } = await load({});
    for (const yaml of ['', '# nothing\n', 'ports:\ncomponents:\n  kafka:\n    heap:\n', '{}'])
      expect((await load({ yaml })).config, yaml).toEqual(config);
    expect(config.stack).toBe('balloon-popper');
  });

  it.each([
    ['FORGE_PORTS_FLINK_SQL_GATEWAY', '1234', { ports: { 'flink-sql-gateway': 1234 } }],
    ['FORGE_COMPONENTS_ICEBERG_REST_HEAP', '64m', { components: { 'iceberg-rest': { heap: '64m' } } }],
    ['FORGE_COMPONENTS_FLINK_JOBMANAGER_HEAP', '99m', { components: { flink: { jobmanagerHeap: '99m' } } }],
    ['FORGE_COMPONENTS_POLARIS_DOWNLOAD', 'false', { components: { polaris: { download: false } } }],
    ['FORGE_POLARIS_HOME', '/opt/p', { components: { polaris: { home: '/opt/p' } } }],
    ['FORGE_ENGINE', 'flink', { engine: 'flink' }],
  ])('the variable %s', async (name, text, expected) => {
    expect((await load({ env: { [name]: text } })).config).toMatchObject(expected);
  });

  it('a port is an order wherever it was set, an empty variable is none', async () => {
    const { orderedPorts } = await load({ yaml: 'ports: {kafka: 9}', env: { FORGE_PORTS_FLINK: '8', FORGE_PORTS_CATALOG: '' } });
    expect(orderedPorts).toEqual({ kafka: 9, flink: 8 });
  });

  it("leaves other programs' and forge's own other variables alone", async () => {
    const env = {
      FORGE_WORKSPACE: 'x',
      FORGE_CACHE_DIR: 'x',
      FORGE_TEST_ANY: 'x',
      FORGE_DEBUG: '1',
      FORGE_EMAIL: 'x',
      FORGE_API_TOKEN: 'x',
    };
    await expect(load({ env })).resolves.toBeTruthy();
  });
});

describe('mistakes are named with their place', () => {
  it.each([
    ['stak: x', /^forge\.yaml:1:1: stak: unknown key \(did you mean stack\?\)$/],
    ['topic:\n  nme: x', /^forge\.yaml:2:3: topic\.nme: unknown key \(did you mean name\?\)$/],
    ['ports:\n  kafka: 70000', /^forge\.yaml:2:10: ports\.kafka: expected a port from 1 to 65535$/],
    ['ports:\n  kafka: "9092"', /^forge\.yaml:2:10: ports\.kafka: expected a port/],
    ['ports:\n  kafka: 1.5', /^forge\.yaml:2:10: ports\.kafka: expected a port/],
    ['ports: 5', /^forge\.yaml:1:8: ports: .*expected object/],
    ['catalog: hive', /^forge\.yaml:1:10: catalog: .*"auto".*"polaris".*"iceberg-rest"/],
    ['components:\n  kafka: {heap: lots}', /^forge\.yaml:2:17: components\.kafka\.heap: expected a size such as 256m or 1g$/],
    ['- a\n- b', /^forge\.yaml:1:1: expected keys and values$/],
    ['just text', /^forge\.yaml:1:1: expected keys and values$/],
    ['stack: a\nstack: b', /^forge\.yaml:2:1: .*unique/],
    ['stack: "open', /^forge\.yaml:1:\d+: /],
    ['topic:\n\tname: x', /^forge\.yaml:2:1: .*tab/i],
  ])('%j', async (yaml, expected) => {
    expect(await problems({ yaml })).toEqual([expect.stringMatching(expected)]);
  });

  it('all at once, of the file, the variables and the flags', async () => {
    const found = await problems({
      yaml: 'stak: x\nports: {kafka: 0}\n',
      env: { FORGE_CATALGO: 'polaris', FORGE_PORTS_FLINK: 'many', FORGE_TOPIC_PARTITIONS: '1e99' },
      flags: { engine: 'spark' },
    });
    for (const part of [
      'forge.yaml:1:1: stak',
      'forge.yaml:2:16: ports.kafka',
      'FORGE_CATALGO: there is no such setting (did you mean FORGE_CATALOG?)',
      'FORGE_PORTS_FLINK: expected a port',
      'FORGE_TOPIC_PARTITIONS: ',
      '--engine: ',
    ])
      expect(
        found.some((line) => line.startsWith(part)),
        `${part} in ${found.join(' | ')}`,
      ).toBe(true);
    expect(found).toHaveLength(6);
  });

  it.each([
    ['FORGE_COMPONENTS_KAFKA_HEEP', 'FORGE_COMPONENTS_KAFKA_HEAP'],
    ['FORGE_PORTS_KAFK', 'FORGE_PORTS_KAFKA'],
    ['FORGE_POLARIS_HOM', 'FORGE_POLARIS_HOME'],
  ])('the unknown variable %s', async (name, meant) => {
    expect(await problems({ env: { [name]: '1' } })).toEqual([`${name}: there is no such setting (did you mean ${meant}?)`]);
  });

  it('a folder in place of the file says so', async () => {
    await expect(loadConfig({ file: folder, env: {}, flags: {} })).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE', exitCode: 3 });
  });
});
