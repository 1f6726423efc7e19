import { z } from 'zod';
import {
  tableFacts,
  type CommitPart,
  type CreateTable,
  type IcebergField,
  type LoadTableResult,
  type PartitionField,
  type SortField,
} from '../clients/iceberg.js';
import type { Difference } from './contract.js';

const TYPE =
  /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|string|uuid|binary|fixed\[\d+\]|decimal\(\s*\d{1,2}\s*,\s*\d{1,2}\s*\))$/;
const TERM = /^(?:(day|hour|month|year|void)\((\w+)\)|(bucket|truncate)\((\d+),\s*(\w+)\)|(\w+))$/;
const SORT = /^(.+?)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?$/i;
const SUFFIX: Record<string, string> = { void: '_null', truncate: '_trunc' };

interface Term {
  column: string;
  transform: string;
  /** As Iceberg's own builder would name it. */
  name: string;
}

/** `day(event_ts)`, `bucket(16, player)` or a column's name. */
function parseTerm(text: string): Term | undefined {
  const found = TERM.exec(text.trim());
  if (!found) return undefined;
  const [, simple, simpleColumn, sized, width, sizedColumn, plain] = found;
  if (plain !== undefined) return { column: plain, transform: 'identity', name: plain };
  const column = simpleColumn ?? sizedColumn ?? '';
  const kind = simple ?? sized ?? '';
  return { column, transform: sized === undefined ? kind : `${sized}[${width}]`, name: `${column}${SUFFIX[kind] ?? `_${kind}`}` };
}

/** `total_score desc`, `balloon_color asc nulls last`; without nulls, as Iceberg has it: ascending first, descending last. */
function parseSort(text: string): (Term & Pick<SortField, 'direction' | 'null-order'>) | undefined {
  const [, expression = '', asked = 'asc', nulls] = SORT.exec(text.trim()) ?? [];
  const term = parseTerm(expression);
  if (!term) return undefined;
  const direction = asked.toLowerCase();
  const order = nulls?.toLowerCase() ?? (direction === 'desc' ? 'last' : 'first');
  return { ...term, direction: direction as SortField['direction'], 'null-order': `nulls-${order}` as SortField['null-order'] };
}

const columnSchema = z.strictObject({
  name: z.string().regex(/^\w+$/),
  type: z.string().regex(TYPE, 'expected an Iceberg type such as string, long, timestamptz or decimal(28,10)'),
  required: z.boolean().default(false),
  doc: z.string().optional(),
});

export const tableSchema = z
  .strictObject({
    namespace: z.string().min(1),
    name: z.string().regex(/^\w+$/),
    columns: z.array(columnSchema).min(1).describe('In order; field ids are given from 1'),
    partition: z.array(z.string()).default([]).describe('`day(event_ts)`, `bucket(16, player)`, `player`'),
    sort: z.array(z.string()).default([]).describe('`total_score desc`, `balloon_color asc nulls last`'),
    properties: z.record(z.string(), z.string()).default({}),
  })
  .superRefine(({ columns, partition, sort }, context) => {
    const names = columns.map(({ name }) => name);
    const complain = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    names.forEach((name, at) => names.indexOf(name) < at && complain(['columns', at, 'name'], `column ${name} stands there twice`));
    const check = (list: 'partition' | 'sort', text: string, at: number, term: Term | undefined) => {
      if (!term) complain([list, at], `cannot read \`${text}\`: expected a column or transform(column)`);
      else if (!names.includes(term.column)) complain([list, at], `there is no column ${term.column}`);
    };
    partition.forEach((text, at) => check('partition', text, at, parseTerm(text)));
    sort.forEach((text, at) => check('sort', text, at, parseSort(text)));
  });
export type TableArgs = z.output<typeof tableSchema>;

export const FORMAT_VERSION = 2;
const FIRST_PARTITION_ID = 1000;
const plain = (type: unknown): string => (typeof type === 'string' ? type.replaceAll(/\s/g, '') : JSON.stringify(type));

/** The request that creates the table. */
export function createRequest({ name, columns, partition, sort, properties }: TableArgs): CreateTable {
  const fields = columns.map((column, at) => ({ id: at + 1, ...column, type: plain(column.type) }));
  const idOf = (column: string): number => fields.find((field) => field.name === column)!.id;
  return {
    name,
    schema: { type: 'struct', 'schema-id': 0, fields },
    'partition-spec': { 'spec-id': 0, fields: partitionFields(partition, idOf, (_, at) => FIRST_PARTITION_ID + at) },
    'write-order': { 'order-id': sort.length === 0 ? 0 : 1, fields: sortFields(sort, idOf) },
    properties: { ...properties, 'format-version': String(FORMAT_VERSION) },
  };
}

type IdOf = (column: string) => number;

function partitionFields(partition: string[], idOf: IdOf, fieldId: (term: Term, at: number) => number): PartitionField[] {
  return partition.map((text, at) => {
    const term = parseTerm(text)!;
    return { 'source-id': idOf(term.column), 'field-id': fieldId(term, at), name: term.name, transform: term.transform };
  });
}

function sortFields(sort: string[], idOf: IdOf): SortField[] {
  return sort.map((text) => {
    const { column, transform, direction, 'null-order': nullOrder } = parseSort(text)!;
    return { transform, 'source-id': idOf(column), direction, 'null-order': nullOrder };
  });
}

const call = (transform: string, column: string): string => (transform === 'identity' ? column : `${transform}(${column})`);
const describeColumn = (column: { type: unknown; required: boolean }): string =>
  `${plain(column.type)} ${column.required ? 'required' : 'optional'}`;

/** How a table differs, what a commit would mend, and why it cannot when it cannot. */
export interface TablePlan {
  diff: Difference[];
  updates: CommitPart[];
  /** Differences that no change of metadata can mend without touching rows. */
  impossible: string[];
}

/** Compares a table with what is wanted. Optional columns that somebody added are left alone. */
export function planTable(args: TableArgs, loaded: LoadTableResult): TablePlan {
  const { metadata } = loaded;
  const facts = tableFacts(loaded);
  const plan: TablePlan = { diff: [], updates: [], impossible: [] };
  const nameOf = (id: number): string => facts.schema.fields.find((field) => field.id === id)?.name ?? `#${id}`;
  const fields = planColumns(args, facts.schema.fields, metadata['last-column-id'], plan);
  const idOf: IdOf = (column) => fields.find((field) => field.name === column)?.id ?? -1;
  if (plan.impossible.length > 0) return plan;

  if (fields.some((field, at) => field !== facts.schema.fields[at])) {
    const last = Math.max(...fields.map(({ id }) => id));
    plan.updates.push({ action: 'add-schema', schema: { type: 'struct', fields }, 'last-column-id': last });
    plan.updates.push({ action: 'set-current-schema', 'schema-id': -1 });
  }
  const version = metadata['format-version'];
  if (version < FORMAT_VERSION) plan.updates.push({ action: 'upgrade-format-version', 'format-version': FORMAT_VERSION });
  if (version > FORMAT_VERSION) plan.impossible.push(`format version ${version} cannot be lowered to ${FORMAT_VERSION}`);
  if (version !== FORMAT_VERSION) plan.diff.push({ field: 'format-version', is: String(version), should: String(FORMAT_VERSION) });

  // A partition field that was there before keeps its id, as the specification wants it.
  const known = metadata['partition-specs'].flatMap((spec) => spec.fields);
  let next = Math.max(metadata['last-partition-id'] ?? FIRST_PARTITION_ID - 1, FIRST_PARTITION_ID - 1);
  const keptId = ({ column, transform }: Term): number =>
    known.find((field) => field['source-id'] === idOf(column) && field.transform === transform)?.['field-id'] ?? ++next;
  const wanted = partitionFields(args.partition, idOf, keptId);
  const text = (list: PartitionField[]): string =>
    list.map((field) => call(field.transform, idOf(nameOf(field['source-id'])) < 0 ? '?' : nameOf(field['source-id']))).join(', ') ||
    '(none)';
  const should = args.partition.map((entry) => call(parseTerm(entry)!.transform, parseTerm(entry)!.column)).join(', ') || '(none)';
  if (text(facts.partitionSpec.fields) !== should) {
    plan.diff.push({ field: 'partition', is: text(facts.partitionSpec.fields), should });
    const same = metadata['partition-specs'].find((spec) => text(spec.fields) === should)?.['spec-id'];
    // The specification lets the id be left out of a new one; Iceberg's own server answers 500 without it.
    const id = Math.max(0, ...metadata['partition-specs'].map((spec) => spec['spec-id'] ?? 0)) + 1;
    if (same === undefined) plan.updates.push({ action: 'add-spec', spec: { 'spec-id': id, fields: wanted } });
    plan.updates.push({ action: 'set-default-spec', 'spec-id': same ?? -1 });
  }
  const order = sortFields(args.sort, idOf);
  const sortText = (list: SortField[]): string =>
    list
      .map((field) => `${call(field.transform, nameOf(field['source-id']))} ${field.direction} ${field['null-order'].replace('-', ' ')}`)
      .join(', ') || '(none)';
  if (sortText(facts.sortOrder.fields) !== sortText(order)) {
    plan.diff.push({ field: 'sort', is: sortText(facts.sortOrder.fields), should: sortText(order) });
    const same = metadata['sort-orders'].find((known) => sortText(known.fields) === sortText(order))?.['order-id'];
    const id = order.length === 0 ? 0 : Math.max(0, ...metadata['sort-orders'].map((known) => known['order-id'])) + 1;
    if (same === undefined) plan.updates.push({ action: 'add-sort-order', 'sort-order': { 'order-id': id, fields: order } });
    plan.updates.push({ action: 'set-default-sort-order', 'sort-order-id': same ?? -1 });
  }
  const set = Object.entries(args.properties).filter(([key, value]) => metadata.properties?.[key] !== value);
  for (const [key, value] of set) plan.diff.push({ field: `properties.${key}`, is: metadata.properties?.[key] ?? '(none)', should: value });
  if (set.length > 0) plan.updates.push({ action: 'set-properties', updates: Object.fromEntries(set) });
  return plan;
}

/** The columns as they will be after the change; those that stay are the same objects. */
function planColumns(args: TableArgs, current: IcebergField[], lastId: number, plan: TablePlan): IcebergField[] {
  const fields = [...current];
  let next = lastId;
  for (const column of args.columns) {
    const at = fields.findIndex((field) => field.name === column.name);
    const is = fields[at];
    const differs = (was: string) => plan.diff.push({ field: `columns.${column.name}`, is: was, should: describeColumn(column) });
    if (is === undefined) {
      differs('(none)');
      if (column.required)
        plan.impossible.push(`column ${column.name} is missing and required: the rows that are there have no value for it`);
      fields.push({ id: ++next, ...column, type: plain(column.type) });
    } else if (plain(is.type) !== plain(column.type)) {
      differs(describeColumn(is));
      plan.impossible.push(`column ${column.name} is ${plain(is.type)} and cannot become ${plain(column.type)}`);
    } else if (is.required !== column.required) {
      differs(describeColumn(is));
      if (column.required) plan.impossible.push(`column ${column.name} is optional and cannot become required`);
      fields[at] = { ...is, required: column.required };
    }
  }
  for (const extra of current.filter((field) => field.required && !args.columns.some(({ name }) => name === field.name))) {
    plan.diff.push({ field: `columns.${extra.name}`, is: describeColumn(extra), should: '(none)' });
    plan.impossible.push(`column ${extra.name} is required, and forge does not fill it`);
  }
  return fields;
}

/** What must not have changed since the table was read. */
export function requirements({ metadata }: LoadTableResult): CommitPart[] {
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': metadata['default-sort-order-id'] },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': metadata['last-partition-id'] },
  ];
}
