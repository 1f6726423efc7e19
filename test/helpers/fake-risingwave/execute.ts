import { create } from './create.js';
import type { Kind, State } from './state.js';
import { select } from './select.js';
import { createSchema, createTable, flush, insert, remove } from './tables.js';
import { Reader, Refusal } from './tokens.js';
import type { Oid, Value } from './system.js';

export interface Answer {
  tag: string;
  columns?: { name: string; oid: Oid }[];
  rows?: Value[][];
  notice?: string;
}

/** What a stand-in is told to do beside what it is asked. */
export interface Manners {
  /** Waits until an object may be made; it is CREATING meanwhile. */
  hold?: (name: string) => Promise<void> | undefined;
  /** Answers reads of the views. */
  views?: (sql: string) => Promise<{ columns: { name: string; oid: Oid }[]; rows: Value[][] }>;
}

/** Runs one statement, as RisingWave does; what it does not know is an error. */
export async function execute(state: State, sql: string, manners: Manners = {}): Promise<Answer> {
  const reader = new Reader(sql);
  if (reader.take('select')) return select(state, sql, manners);
  if (reader.take('flush')) return (reader.end(), flush(state));
  if (reader.take('show')) return show(state, reader);
  if (reader.take('insert', 'into')) return insert(state, reader);
  if (reader.take('delete', 'from')) return remove(state, reader);
  if (reader.take('drop')) return drop(state, reader);
  reader.expect('create');
  if (reader.take('schema')) return createSchema(state, reader);
  if (reader.take('table')) return createTable(state, reader);
  const kind =
    (['source', 'sink'] as const).find((word) => reader.take(word)) ??
    (reader.take('materialized', 'view') ? 'materialized view' : undefined);
  if (kind === undefined) throw reader.expected('an object type after CREATE');
  return create(state, reader, kind, manners);
}

function drop(state: State, reader: Reader): Answer {
  const kinds: Kind[] = ['source', 'sink', 'table'];
  const kind = kinds.find((word) => reader.take(word)) ?? (reader.take('materialized', 'view') ? 'materialized view' : undefined);
  if (kind === undefined) reader.expect('schema');
  const ifExists = reader.take('if', 'exists');
  const [first, second] = [reader.identifier(), reader.take('.') ? reader.identifier() : undefined];
  reader.end();
  const tag = `DROP_${(kind ?? 'schema').toUpperCase().replace(' ', '_')}`;
  const missing = new Refusal(`Failed to run the query\n\nCaused by:\n  Catalog error: ${kind ?? 'schema'} not found: ${second ?? first}`);
  if (kind === undefined) {
    if (state.entries.some(({ schema }) => schema === first)) throw new Refusal(`Permission denied: schema ${first} is not empty`);
    if (!state.schemas.delete(first) && !ifExists) throw missing;
    return { tag };
  }
  const found = second === undefined ? state.find('public', first) : state.find(first, second);
  if (found?.kind === kind) state.drop(found);
  else if (!ifExists || found !== undefined) throw missing;
  return { tag };
}

function show(state: State, reader: Reader): Answer {
  const kind = reader.take('sources')
    ? 'source'
    : reader.take('sinks')
      ? 'sink'
      : reader.take('materialized', 'views')
        ? 'materialized view'
        : undefined;
  // Anything else would be the name of a variable.
  if (kind === undefined) throw new Refusal(`Invalid parameter: unrecognized configuration parameter "${reader.peek().text}"`, '42704');
  reader.end();
  const names = state.entries.filter((entry) => entry.kind === kind && entry.schema === 'public').map(({ name }) => [name]);
  return { tag: `SHOW_COMMAND ${names.length}`, columns: [{ name: 'Name', oid: 1043 }], rows: names };
}
