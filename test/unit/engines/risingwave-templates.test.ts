import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { objectsOf, startingAt, type ObjectKind } from '../../../src/engines/risingwave/statements.js';
import { loadDefinition, pipelineOf, renderArgs } from '../../../src/lifecycle/graph.js';
import { statementOf } from '../../../src/modules/risingwave-object.js';
import { holds } from '../../../src/playbook/task.js';
import type { CatalogName, StackContext } from '../../../src/workspace/context.js';
import { openStack } from '../../../src/workspace/open.js';
import { renderTemplate } from '../../../src/workspace/template.js';
import { templateValues } from '../../../src/workspace/values.js';
import { execute } from '../../helpers/fake-risingwave/execute.js';
import { State } from '../../helpers/fake-risingwave/state.js';
import { scratch } from '../../helpers/folders.js';

const NAMES: Record<ObjectKind, string[]> = {
  source: ['balloon_game_events', 'balloon_game_events_in_time'],
  'materialized view': [
    'mv_leaderboard',
    'mv_balloon_color_stats',
    'mv_realtime_scores',
    'mv_balloon_colored_pops',
    'mv_color_performance_trends',
  ],
  sink: ['leaderboard', 'balloon_color_stats', 'realtime_scores', 'balloon_colored_pops', 'color_performance_trends'],
};
/** What RisingWave makes of its types when it writes Iceberg: the same type, or two decimals. */
const ICEBERG: Record<string, RegExp> = {
  varchar: /^string$/,
  bigint: /^long$/,
  numeric: /^decimal\(/,
  timestamptz: /^timestamptz$/,
};

async function stackWith(catalog: CatalogName): Promise<StackContext> {
  const flags = { runtime: 'k3d', engine: 'risingwave', catalog };
  const { stack } = await openStack({ root: scratch(), env: {}, flags, cacheDir: scratch(), packageRoot: packageRoot(), allocate: false });
  await stack.credentials.write('aws', { accessKeyId: "key'id-of-aws", secretAccessKey: 'secret-of-aws' });
  await stack.credentials.write('polaris-principal', { clientId: 'client-of-polaris', clientSecret: 'secret-of-polaris' });
  return stack;
}

function render(stack: StackContext, name: 'source' | 'sink'): string {
  const file = `templates/balloon-popper/risingwave/${name}.sql`;
  return renderTemplate(readFileSync(path.join(stack.packageRoot, file), 'utf8'), templateValues(stack), { file }).text;
}

describe.each(['polaris', 'iceberg-rest'] as const)('the SQL of RisingWave, with %s', (catalog) => {
  let stack: StackContext;
  let objects: ReturnType<typeof objectsOf>;
  beforeEach(async () => {
    stack = await stackWith(catalog);
    objects = [...objectsOf(render(stack, 'source')), ...objectsOf(render(stack, 'sink'))];
  });
  const of = (kind: ObjectKind) => objects.filter((object) => object.kind === kind);

  it('makes the sources, views and sinks that the playbook names, in an order that RisingWave takes', async () => {
    for (const kind of ['source', 'materialized view', 'sink'] as const)
      expect(
        of(kind).map(({ name }) => name),
        kind,
      ).toEqual(NAMES[kind]);
    const state = new State();
    for (const { statement } of objects) await execute(state, statement);
    expect(state.entries).toHaveLength(12);
    const { tasks } = await loadDefinition(stack.packageRoot, 'balloon-popper');
    const named = tasks.filter((task) => holds(task.when, stack) && /^risingwave\./.test(task.module));
    expect(named.map((task) => (renderArgs(task, stack) as { name: string }).name).sort()).toEqual(objects.map(({ name }) => name).sort());
  });

  it('is complete: no braces are left, and no option is empty', () => {
    for (const { name, statement } of objects) {
      expect(statement, name).not.toMatch(/[{}]|undefined|null,|\*\*\*|\[object/);
      expect(statement, name).not.toMatch(/=\s*('\s*'|''|,|\))/);
      expect((statement.match(/'/g) ?? []).length % 2, name).toBe(0);
    }
  });

  it('every sink has what it needs, at addresses inside the cluster', () => {
    for (const { name, statement } of of('sink')) {
      const options = Object.fromEntries([...statement.matchAll(/([\w.]+) = '((?:[^']|'')*)'/g)].map(([, key, value]) => [key!, value!]));
      expect(options, name).toMatchObject({
        connector: 'iceberg',
        type: 'append-only',
        force_append_only: 'true',
        'database.name': 'balloon_pops',
        'table.name': name,
        'catalog.type': 'rest',
        's3.endpoint': 'http://localstack.localstack:4566',
        's3.region': 'us-east-1',
        's3.path.style.access': 'true',
        's3.access.key': "key''id-of-aws",
        's3.secret.key': 'secret-of-aws',
        commit_checkpoint_interval: '3',
      });
      const ofPolaris = Object.keys(options).filter((key) => /credential|oauth2|scope|header/.test(key));
      if (catalog === 'iceberg-rest') {
        expect(ofPolaris, name).toEqual([]);
        expect(options['catalog.uri']).toBe('http://iceberg-rest.iceberg-rest:8181');
        expect(options['warehouse.path']).toBe('s3://balloon-game/warehouse');
        continue;
      }
      expect(options, name).toMatchObject({
        'catalog.uri': 'http://polaris.polaris:8181/api/catalog',
        'catalog.oauth2_server_uri': 'http://polaris.polaris:8181/api/catalog/v1/oauth/tokens',
        'catalog.credential': 'client-of-polaris:secret-of-polaris',
        'catalog.scope': 'PRINCIPAL_ROLE:ALL',
        'catalog.header': 'Polaris-Realm=POLARIS',
        'warehouse.path': 'balloon-game',
        'catalog.name': 'balloon-game',
      });
    }
    for (const { statement } of of('source')) expect(statement).toContain("properties.bootstrap.server = 'kafka.kafka:9092'");
  });

  it('every sink gives its table exactly the columns that forge makes, by name and type', async () => {
    const state = new State();
    for (const { statement } of objects) await execute(state, statement);
    const { tasks } = await loadDefinition(stack.packageRoot, 'balloon-popper');
    const tables = tasks.filter(({ module }) => module === 'iceberg.table').map((task) => renderArgs(task, stack)) as {
      name: string;
      columns: { name: string; type: string }[];
    }[];
    expect(tables).toHaveLength(5);
    for (const { name, columns } of tables) {
      const given = state.find('public', name)!.columns;
      expect(Object.keys(given), name).toEqual(columns.map((column) => column.name));
      for (const column of columns) expect(column.type, `${name}.${column.name}`).toMatch(ICEBERG[given[column.name]!]!);
    }
    // And each view has the columns that `verify` and the other engine know.
    for (const view of pipelineOf(await loadDefinition(stack.packageRoot, 'balloon-popper'), stack).views)
      expect(Object.keys(state.find('public', view.name)!.columns), view.name).toEqual(view.columns);
  });

  it('a windowed sink starts behind the windows that its table holds', () => {
    for (const { name, statement } of of('sink')) {
      if (!statement.includes('WINDOW CLOSE')) {
        expect(() => startingAt(statement, new Date()), name).toThrow(/no time/);
        continue;
      }
      expect(statement).toContain("window_start >= '1970-01-01 00:00:00+00:00'::timestamptz");
      const moved = startingAt(statement, new Date('2026-11-21T10:15:30.000Z'));
      expect(moved).toContain("window_start >= '2026-11-21 10:15:30+00:00'::timestamptz");
      expect(moved).not.toContain('1970');
    }
  });

  it('a missing credential is an error that names it, never an empty option', async () => {
    await stack.credentials.remove('aws');
    const context = { stack, signal: new AbortController().signal, progress: () => undefined, waitingFor: () => undefined };
    const args = { name: 'leaderboard', template: 'balloon-popper/risingwave/sink.sql' };
    await expect(statementOf('sink', args, context)).rejects.toMatchObject({ code: 'TEMPLATE_VARIABLE_MISSING' });
  });
});

it('on Flink the views and tables have the same names and columns', async () => {
  const definition = await loadDefinition(packageRoot(), 'balloon-popper');
  const stack = await stackWith('iceberg-rest');
  const [risingwave, flink] = [pipelineOf(definition, stack), pipelineOf(definition, { ...stack, engine: 'flink' })];
  const shape = ({ views, tables }: typeof flink) => ({ views: views.map(({ name, columns }) => ({ name, columns })), tables });
  expect(shape(risingwave)).toEqual(shape(flink));
  expect(risingwave.views).toHaveLength(5);
});
