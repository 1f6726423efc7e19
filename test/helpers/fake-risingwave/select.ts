import type { Answer, Manners } from './execute.js';
import type { State } from './state.js';
import { OID, SYSTEM, type Table, type Value } from './system.js';
import { Reader, Refusal } from './tokens.js';

/** Reads: rw_catalog, forge's own table, and the views, as far as forge asks for them. */
export async function select(state: State, sql: string, manners: Manners): Promise<Answer> {
  const words = new Reader(sql);
  const from = words.tokens.findIndex(({ type, value }) => type === 'word' && value === 'from');
  if (from < 0) return constant(state, words);
  words.skipTo(from + 1);
  const first = words.identifier();
  const name = words.take('.') ? words.identifier() : undefined;
  const system = first === 'rw_catalog' && name !== undefined ? SYSTEM[name] : undefined;
  if (system !== undefined) return rowsOf(new Reader(sql), system(state));
  const entry = state.read(name ?? first, name === undefined ? 'public' : first);
  if (entry.kind === 'source') throw new Refusal('Not supported: a batch query on a source is not here');
  if (entry.kind === 'table') {
    const columns = Object.fromEntries(Object.keys(entry.columns).map((column) => [column, OID.varchar]));
    return rowsOf(new Reader(sql), { columns, rows: [...entry.rows.values()] });
  }
  const { columns, rows } = (await manners.views?.(sql)) ?? emptyView(sql);
  return { tag: `SELECT ${rows.length}`, columns, rows };
}

/** One row for a query that only counts or sums up, none for any other. */
function emptyView(sql: string): { columns: { name: string; oid: 20 }[]; rows: Value[][] } {
  const [, aggregate, name] = /^\s*select\s+(count|sum)\s*\([^()]*\)(?:\s+as\s+(\w+))?\s+from\b/i.exec(sql) ?? [];
  if (aggregate === undefined) return { columns: [], rows: [] };
  return { columns: [{ name: name ?? aggregate, oid: OID.int8 }], rows: [[aggregate.toLowerCase() === 'count' ? '0' : null]] };
}

function constant(state: State, reader: Reader): Answer {
  reader.expect('select');
  const isVersion = reader.take('version', '(', ')');
  const value = isVersion ? state.version : Number(reader.next().value);
  if (Number.isNaN(value)) throw new Refusal('Not supported: this SELECT is not known to the stand-in');
  const name = reader.take('as') ? reader.identifier() : isVersion ? 'version' : '?column?';
  reader.end();
  return { tag: 'SELECT 1', columns: [{ name, oid: isVersion ? OID.varchar : OID.int4 }], rows: [[value]] };
}

type Row = Record<string, Value>;

function rowsOf(reader: Reader, { columns, rows }: Table): Answer {
  const column = (): string => {
    const name = reader.identifier();
    if (name in columns) return name;
    throw new Refusal(
      `Failed to run the query\n\nCaused by:\n  Bind error: failed to bind expression: ${name}: Item not found: Invalid column: ${name}`,
    );
  };
  reader.expect('select');
  const names: string[] = [];
  do names.push(column());
  while (reader.take(','));
  reader.expect('from');
  reader.identifier();
  reader.expect('.');
  reader.identifier();
  const conditions: ((row: Row) => boolean)[] = [];
  if (reader.take('where')) {
    do conditions.push(condition(reader, column()));
    while (reader.take('and'));
  }
  reader.end();
  const found = rows.filter((row) => conditions.every((holds) => holds(row)));
  return {
    tag: `SELECT ${found.length}`,
    columns: names.map((name) => ({ name, oid: columns[name]! })),
    rows: found.map((row) => names.map((name) => row[name] ?? null)),
  };
}

/** `c = 'text'`, `c = 1`, or `c > now() - INTERVAL '5 minutes'`. */
function condition(reader: Reader, name: string): (row: Row) => boolean {
  if (reader.take('>', 'now', '(', ')', '-', 'interval')) {
    const [, count, unit] = /^(\d+) (minutes|seconds)$/.exec(reader.string()) ?? [];
    if (count === undefined) throw new Refusal('Invalid interval');
    const since = Date.now() - Number(count) * (unit === 'minutes' ? 60_000 : 1000);
    return (row) => Date.parse(String(row[name])) > since;
  }
  reader.expect('=');
  const minus = reader.take('-') ? '-' : '';
  const { type, value } = reader.next();
  if (type !== 'string' && type !== 'number') throw new Refusal('Not supported: this condition is not known to the stand-in');
  return (row) => String(row[name]) === minus + value;
}
