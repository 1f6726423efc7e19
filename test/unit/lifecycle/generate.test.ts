import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { splitStatements } from '../../../src/engines/flink/statements.js';
import { bringDown, stackFolder } from '../../../src/lifecycle/down.js';
import { generate } from '../../../src/lifecycle/generate.js';
import { findWorkspace } from '../../../src/workspace/workspace.js';
import { execute } from '../../helpers/fake-risingwave/execute.js';
import { State } from '../../helpers/fake-risingwave/state.js';
import { splitMessage } from '../../helpers/fake-risingwave/tokens.js';
import { projectRoot, runNode } from '../cli/run.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'forge-generate-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const make = (what: 'credentials' | 'sql', flags: { engine?: string; catalog?: string } = {}) =>
  generate({
    folder,
    what,
    cacheDir: path.join(folder, 'cache'),
    packageRoot: projectRoot,
    flags: { catalog: 'iceberg-rest', runtime: 'process', ...flags },
    signal: AbortSignal.timeout(20_000),
  });
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('generate, in a folder where nothing was brought up', () => {
  it('credentials: random ones, readable by their owner only, and kept the next time', async () => {
    const { files } = await make('credentials');
    expect(files.map((file) => path.basename(file)).sort()).toEqual(['aws.json', 'catalog-db.json', 'postgresql.json', 'views.json']);
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    for (const file of files) expect(await modeOf(file), file).toBe(0o600);
    expect(await modeOf(path.dirname(files[0]!))).toBe(0o700);
    const passwords = texts.map((text) => Object.values(JSON.parse(text) as Record<string, string>).at(-1)!);
    expect(new Set(passwords).size).toBe(4);
    for (const password of passwords) expect(password.length).toBeGreaterThanOrEqual(20);
    const again = await make('credentials');
    expect(await Promise.all(again.files.map((file) => readFile(file, 'utf8')))).toEqual(texts);
  });

  it('sql: complete, with the secrets that it needs, private; written anew after it was changed', async () => {
    const { files } = await make('sql');
    expect(files).toEqual([path.join(folder, '.forge', 'generated', 'pipeline.sql')]);
    const file = files[0]!;
    const text = await readFile(file, 'utf8');
    expect(await modeOf(file)).toBe(0o600);
    const views = JSON.parse(await readFile(path.join(folder, '.forge', 'credentials', 'views.json'), 'utf8')) as { password: string };
    expect(text).toContain(`'password' = '${views.password}'`);
    expect(text).not.toMatch(/\{\{|\}\}|undefined|\*\*\*|\[object/);
    const statements = splitStatements(text);
    expect(statements.at(-1)).toMatch(/^(--.*\n)*EXECUTE STATEMENT SET/);
    expect(statements.at(-1)!.match(/INSERT INTO/g)).toHaveLength(10);
    await writeFile(file, 'changed');
    await make('sql');
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('sql for RisingWave: source.sql and sink.sql, complete and private, and no change of the engine', async () => {
    const { files } = await make('sql', { engine: 'risingwave' });
    expect(files.map((file) => path.relative(folder, file))).toEqual(['.forge/generated/source.sql', '.forge/generated/sink.sql']);
    for (const file of files) expect(await modeOf(file), file).toBe(0o600);
    const [source, sink] = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    const aws = JSON.parse(await readFile(path.join(folder, '.forge', 'credentials', 'aws.json'), 'utf8')) as { secretAccessKey: string };
    expect(sink!.split(`s3.secret.key = '${aws.secretAccessKey}'`)).toHaveLength(6);
    const state = new State();
    for (const statement of [...splitMessage(source!), ...splitMessage(sink!)]) await execute(state, statement);
    expect(state.entries.map(({ kind }) => kind).sort()).toEqual([
      ...Array<string>(5).fill('materialized view'),
      ...Array<string>(5).fill('sink'),
      ...Array<string>(2).fill('source'),
    ]);
    expect((await make('sql')).files).toEqual([path.join(folder, '.forge', 'generated', 'pipeline.sql')]);
  });

  it.each(['credentials', 'sql'] as const)('%s: says nothing of a stack that is there, and down removes it all', async (what) => {
    await make(what);
    expect(existsSync(path.join(folder, '.forge', 'stack.json'))).toBe(false);
    expect(findWorkspace(undefined, path.join(folder, '.forge')).root).toBe(findWorkspace(folder).root);
    // Whoever listens on the default port is a stranger still.
    const events = await runNode(path.join(projectRoot, 'bin', 'dev.js'), ['generate', 'events', '--count', '1', '-w', folder, '--json'], {
      env: { KAFKA_BOOTSTRAP_SERVERS: '' },
    });
    expect(JSON.parse(events.stdout)).toMatchObject({ error: { code: 'NOT_UP' } });
    expect(stackFolder(folder)).toBe(findWorkspace(folder).root);
    const down = await bringDown({ folder, keepData: false, signal: AbortSignal.timeout(20_000), note: () => undefined });
    expect(down.removed).toBe(true);
    expect(stackFolder(folder)).toBeUndefined();
  });

  it.each(['flink', 'risingwave'])('sql for %s with Polaris, before Polaris has given credentials, says so', async (engine) => {
    await expect(make('sql', { engine, catalog: 'polaris' })).rejects.toMatchObject({
      code: 'CREDENTIAL_MISSING',
      hint: expect.stringContaining('forge up') as string,
    });
  });
});
