import { describe, expect, it } from 'vitest';
import type { LoadTableResult } from '../../../src/clients/iceberg.js';
import { tableFacts } from '../../../src/clients/iceberg.js';
import { createRequest, planTable, requirements, tableSchema, type TableArgs } from '../../../src/modules/iceberg-table-shape.js';
import { catalogTasks } from '../../helpers/catalog-tasks.js';
import { configSchema } from '../../../src/config/schema.js';
import { createTable } from '../../helpers/fake-polaris/tables.js';

const stack = { catalog: 'iceberg-rest', config: configSchema.parse({}) } as Parameters<typeof catalogTasks>[0];
const tables = catalogTasks(stack).filter(({ module }) => module.name === 'iceberg.table');
const parse = (args: object): TableArgs => tableSchema.parse({ namespace: 'n', name: 't', ...args });
const made = (args: TableArgs): LoadTableResult => {
  const { metadata, metadataLocation } = createTable(createRequest(args), 's3://b/n');
  return { metadata, 'metadata-location': metadataLocation } as unknown as LoadTableResult;
};

/** `name type!` is required; partitions and sort fields by the names of their columns. */
function describeTable(args: TableArgs): { columns: string; partition: string; sort: string; format: string } {
  const request = createRequest(args);
  const name = (id: number): string => request.schema.fields.find((field) => field.id === id)!.name;
  return {
    columns: request.schema.fields
      .map((field) => `${field.id} ${field.name} ${field.type as string}${field.required ? '!' : ''}`)
      .join(', '),
    partition: request['partition-spec'].fields
      .map((field) => `${field['field-id']} ${field.name}=${field.transform}(${name(field['source-id'])})`)
      .join(', '),
    sort: request['write-order'].fields
      .map((field) => `${field.transform}(${name(field['source-id'])}) ${field.direction} ${field['null-order']}`)
      .join(', '),
    format: request.properties['format-version']!,
  };
}

describe('the five tables of Balloon Popper', () => {
  it('are as the demo has them, with sort orders that take effect', () => {
    expect(Object.fromEntries(tables.map(({ args }) => [(args as TableArgs).name, describeTable(args as TableArgs)]))).toEqual({
      leaderboard: {
        columns: '1 player string!, 2 total_score long!, 3 bonus_hits long!, 4 event_ts timestamptz!',
        partition: '1000 event_ts_day=day(event_ts), 1001 player=identity(player)',
        sort: 'identity(total_score) desc nulls-last, identity(bonus_hits) desc nulls-last',
        format: '2',
      },
      balloon_color_stats: {
        columns:
          '1 player string!, 2 balloon_color string!, 3 balloon_pops long!, 4 points_by_color long!, 5 bonus_hits long!, 6 event_ts timestamptz!',
        partition: '1000 event_ts_day=day(event_ts), 1001 balloon_color=identity(balloon_color), 1002 player=identity(player)',
        sort: 'identity(points_by_color) desc nulls-last, identity(balloon_pops) desc nulls-last',
        format: '2',
      },
      realtime_scores: {
        columns: '1 player string!, 2 total_score long!, 3 window_start timestamptz!, 4 window_end timestamptz!',
        partition: '1000 window_start_hour=hour(window_start)',
        sort: '',
        format: '2',
      },
      balloon_colored_pops: {
        columns:
          '1 player string!, 2 balloon_color string!, 3 balloon_pops long!, 4 points_by_color long!, 5 bonus_hits long!, 6 window_start timestamptz!, 7 window_end timestamptz!',
        partition: '1000 window_start_hour=hour(window_start), 1001 player=identity(player)',
        sort: 'identity(balloon_color) asc nulls-last',
        format: '2',
      },
      color_performance_trends: {
        columns:
          '1 balloon_color string!, 2 avg_score_per_pop decimal(28,10)!, 3 total_pops long!, 4 window_start timestamptz!, 5 window_end timestamptz!',
        partition: '1000 window_start_hour=hour(window_start), 1001 balloon_color=identity(balloon_color)',
        sort: 'identity(balloon_color) asc nulls-last',
        format: '2',
      },
    });
  });

  it.each(tables.map(({ id, args }) => [id, args as TableArgs]))('%s is in sync once it is made', (_, args) => {
    expect(planTable(args, made(args))).toEqual({ diff: [], updates: [], impossible: [] });
  });
});

const columns = [
  { name: 'a', type: 'string', required: true },
  { name: 'b', type: 'long' },
];

describe('what the playbook may say', () => {
  it.each([
    [{ columns, partition: ['week(a)'] }, /cannot read `week\(a\)`/],
    [{ columns, partition: ['day(c)'] }, /no column c/],
    [{ columns, sort: ['c desc'] }, /no column c/],
    [{ columns, sort: ['a downwards'] }, /cannot read `a downwards`/],
    [{ columns: [...columns, columns[0]] }, /column a stands there twice/],
    [{ columns: [{ name: 'a', type: 'varchar' }] }, /Iceberg type/],
    [{ columns: [] }, /columns/],
  ])('%j is refused', (args, message) => {
    const result = tableSchema.safeParse({ namespace: 'n', name: 't', ...args });
    expect(result.success ? '' : JSON.stringify(result.error.issues)).toMatch(message);
  });

  it('transforms with a width, and nulls as Iceberg has them where nothing is said', () => {
    const shape = describeTable(
      parse({ columns, partition: ['bucket(16, a)', 'void(b)'], sort: ['a', 'b DESC', 'truncate(4, a) asc NULLS LAST'] }),
    );
    expect(shape.partition).toBe('1000 a_bucket=bucket[16](a), 1001 b_null=void(b)');
    expect(shape.sort).toBe('identity(a) asc nulls-first, identity(b) desc nulls-last, truncate[4](a) asc nulls-last');
  });
});

describe('a table that differs', () => {
  const plan = (is: object, should: object) => planTable(parse({ columns, ...should }), made(parse({ columns, ...is })));

  it('keeps the id of a partition field that was there before', () => {
    const { updates } = plan({ partition: ['a', 'b'] }, { partition: ['b', 'bucket(4, a)'] });
    const spec = updates.find((update) => update['action'] === 'add-spec')!['spec'] as { fields: { 'field-id': number }[] };
    expect(spec.fields.map((field) => field['field-id'])).toEqual([1001, 1002]);
  });

  it('gets a missing optional column with a new id, and nothing else', () => {
    const { updates, impossible, diff } = plan({}, { columns: [...columns, { name: 'c', type: 'date' }] });
    expect(impossible).toEqual([]);
    expect(diff).toEqual([{ field: 'columns.c', is: '(none)', should: 'date optional' }]);
    expect(updates.map((update) => update['action'])).toEqual(['add-schema', 'set-current-schema']);
    expect(JSON.stringify(updates)).toContain('{"id":3,"name":"c","type":"date","required":false}');
  });

  it('keeps an optional column that somebody added', () => {
    expect(plan({ columns: [...columns, { name: 'mine', type: 'int' }] }, {}).diff).toEqual([]);
  });

  it.each([
    ['another type', { columns: [{ name: 'a', type: 'long', required: true }, columns[1]] }, 'column a is string and cannot become long'],
    ['a required column', { columns: [...columns, { name: 'c', type: 'int', required: true }] }, 'column c is missing and required'],
    ['an optional one that must be required', { columns: [columns[0], { ...columns[1], required: true }] }, 'column b is optional'],
    ['a required one too many', { columns: [columns[1]] }, 'column a is required, and forge does not fill it'],
  ])('%s cannot be mended', (_, should, reason) => {
    const { impossible, diff } = plan({}, should);
    expect(impossible.join()).toContain(reason);
    expect(diff).not.toEqual([]);
  });

  it('of format version 3 cannot be lowered, and of version 1 is raised', () => {
    const table = made(parse({ columns }));
    table.metadata['format-version'] = 3;
    expect(planTable(parse({ columns }), table).impossible.join()).toMatch(/cannot be lowered/);
    table.metadata['format-version'] = 1;
    expect(planTable(parse({ columns }), table).updates).toEqual([{ action: 'upgrade-format-version', 'format-version': 2 }]);
  });

  it('is only changed while nobody else has changed it', () => {
    const table = made(parse({ columns }));
    expect(requirements(table)).toContainEqual({ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] });
  });
});

describe('facts of a table', () => {
  it('come from the current snapshot, not the newest', () => {
    const table = made(parse({ columns }));
    expect(tableFacts(table)).toMatchObject({ rows: 0, snapshots: 0, lastCommit: null, formatVersion: 2, location: 's3://b/n/t' });
    const snapshot = (id: number, rows: string) => ({
      'snapshot-id': id,
      'timestamp-ms': 1_700_000_000_000 + id,
      'manifest-list': 's3://b/x',
      summary: { operation: 'append', 'total-records': rows },
    });
    Object.assign(table.metadata, { snapshots: [snapshot(1, '5'), snapshot(2, '9')], 'current-snapshot-id': 1 });
    expect(tableFacts(table)).toMatchObject({ rows: 5, snapshots: 2, lastCommit: '2023-11-14T22:13:20.001Z' });
  });
});
