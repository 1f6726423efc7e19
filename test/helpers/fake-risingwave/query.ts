import { expression, type Columns, type Type } from './expression.js';
import { Refusal, type Reader } from './tokens.js';

/** What can be read, as the catalog knows it. */
export interface Readable {
  id: number;
  columns: Columns;
  /** The column with a watermark. */
  watermark?: string | undefined;
  /** Its rows never change. */
  appendOnly: boolean;
}
export type Lookup = (name: string) => Readable;

export interface Query {
  columns: Columns;
  reads: number[];
  appendOnly: boolean;
}

/** SELECT over one relation, with what a streaming query of RisingWave checks: names, types, grouping, watermarks. */
export function parseQuery(reader: Reader, lookup: Lookup): Query {
  reader.expect('select');
  // The select list stands before the relation that it reads: it is looked at twice.
  const start = reader.position;
  while (!(reader.peek().type === 'word' && reader.peek().value === 'from')) {
    if (reader.peek().type === 'end') throw reader.expected('FROM');
    reader.next();
  }
  reader.expect('from');
  const from = relation(reader, lookup);
  const after = reader.position;
  reader.skipTo(start);
  const items = selectList(reader, from.columns);
  reader.skipTo(after);
  if (reader.take('where')) {
    const where = expression(reader, from.columns);
    if (where.type !== 'boolean') throw new Refusal(`Bind error: WHERE clause cannot have type ${where.type}`);
  }
  const groups: string[] = [];
  if (reader.take('group', 'by')) {
    do groups.push(reader.identifier());
    while (reader.take(','));
  }
  for (const item of items)
    if (!item.aggregate && groups.length > 0 && !groups.includes(item.source ?? ''))
      throw new Refusal(`Bind error: column "${item.name}" must appear in the GROUP BY clause or be used in an aggregate function`);
  let appendOnly = from.appendOnly && groups.length === 0 && items.every(({ aggregate }) => !aggregate);
  if (reader.take('emit')) {
    reader.expect('on', 'window', 'close');
    const closes = from.watermark !== undefined && groups.some((name) => [from.watermark, 'window_start', 'window_end'].includes(name));
    if (!closes) throw new Refusal('Not supported: Emit-On-Window-Close mode requires a watermark column in GROUP BY.');
    appendOnly = from.appendOnly;
  }
  return { columns: Object.fromEntries(items.map(({ name, type }) => [name, type])), reads: [from.id], appendOnly };
}

function relation(reader: Reader, lookup: Lookup): Readable {
  if (!reader.take('tumble', '(')) return lookup(reader.identifier());
  const from = lookup(reader.identifier());
  reader.expect(',');
  const column = reader.identifier();
  if (from.columns[column] !== 'timestamptz') throw new Refusal(`Bind error: the time column ${column} of TUMBLE is no timestamp`);
  reader.expect(',');
  reader.expect('interval');
  reader.string();
  reader.expect(')');
  return {
    ...from,
    columns: { ...from.columns, window_start: 'timestamptz', window_end: 'timestamptz' },
    watermark: from.watermark === column ? column : undefined,
  };
}

interface Item {
  name: string;
  type: Type;
  aggregate: boolean;
  /** The column that it is, when it is nothing else. */
  source?: string | undefined;
}

function selectList(reader: Reader, columns: Columns): Item[] {
  const items: Item[] = [];
  do {
    const { type, aggregate, column } = expression(reader, columns);
    const name = reader.take('as') ? reader.identifier() : column;
    if (name === undefined) throw new Refusal('Invalid input syntax: An alias must be specified for the expression');
    items.push({ name, type, aggregate, source: column });
  } while (reader.take(','));
  if (reader.peek().value !== 'from') throw reader.expected('FROM');
  return items;
}
