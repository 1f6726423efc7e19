import type { Answer } from './execute.js';
import type { Columns } from './expression.js';
import type { Entry, State } from './state.js';
import { Refusal, type Reader } from './tokens.js';

/** Schemas and tables of texts, with a key: as much as forge needs for its notes. */
export function createSchema(state: State, reader: Reader): Answer {
  const ifNotExists = reader.take('if', 'not', 'exists');
  const name = reader.identifier();
  reader.end();
  if (!state.schemas.has(name)) state.schemas.set(name, state.id());
  else if (!ifNotExists) throw new Refusal(`Catalog error: schema with name ${name} exists`);
  return { tag: 'CREATE_SCHEMA' };
}

export function createTable(state: State, reader: Reader): Answer {
  const ifNotExists = reader.take('if', 'not', 'exists');
  const schema = reader.identifier();
  reader.expect('.');
  const name = reader.identifier();
  const columns: Columns = {};
  let key: string | undefined;
  reader.expect('(');
  do {
    const column = reader.identifier();
    if (reader.identifier() !== 'varchar') throw reader.expected('varchar');
    columns[column] = 'varchar';
    if (reader.take('primary', 'key')) key = column;
  } while (reader.take(','));
  reader.expect(')');
  reader.end();
  if (!state.schemas.has(schema)) throw new Refusal(`Catalog error: schema not found: ${schema}`);
  if (state.find(schema, name) !== undefined) {
    if (ifNotExists) return { tag: 'CREATE_TABLE', notice: `relation "${name}" already exists, skipping` };
    throw new Refusal(`Catalog error: table with name ${name} exists`);
  }
  const definition = state.words(reader.sql);
  state.entries.push({
    id: state.id(),
    kind: 'table',
    schema,
    name,
    definition,
    columns,
    key,
    appendOnly: false,
    reads: [],
    options: {},
    rows: new Map(),
    status: 'CREATED',
  });
  return { tag: 'CREATE_TABLE' };
}

function tableIn(state: State, reader: Reader): Entry {
  const schema = reader.identifier();
  reader.expect('.');
  return state.read(reader.identifier(), schema);
}

export function insert(state: State, reader: Reader): Answer {
  const table = tableIn(state, reader);
  const names: string[] = [];
  reader.expect('(');
  do names.push(reader.identifier());
  while (reader.take(','));
  reader.expect(')');
  for (const name of names) if (!(name in table.columns)) throw new Refusal(`Bind error: column ${name} not found in table ${table.name}`);
  reader.expect('values');
  reader.expect('(');
  const values: string[] = [];
  do values.push(reader.string());
  while (reader.take(','));
  reader.expect(')');
  reader.end();
  if (values.length !== names.length) throw new Refusal('Bind error: INSERT has more target columns than values');
  const row = Object.fromEntries(names.map((name, at) => [name, values[at]!]));
  state.pending.push(() => table.rows.set(row[table.key!]!, row));
  return { tag: 'INSERT 0 1' };
}

export function remove(state: State, reader: Reader): Answer {
  const table = tableIn(state, reader);
  reader.expect('where');
  const column = reader.identifier();
  reader.expect('=');
  const value = reader.string();
  reader.end();
  state.pending.push(() => {
    for (const [key, row] of table.rows) if (row[column] === value) table.rows.delete(key);
  });
  return { tag: 'DELETE 1' };
}

/** Shows what was written so far. */
export function flush(state: State): Answer {
  for (const write of state.pending.splice(0)) write();
  return { tag: 'FLUSH' };
}
