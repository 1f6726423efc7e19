import type { Answer, Manners } from './execute.js';
import { checkSink, checkSource, parseWith, type Options } from './options.js';
import { parseQuery, type Query } from './query.js';
import { TYPE_NAMES, type Columns } from './expression.js';
import type { Entry, Kind, State } from './state.js';
import { Refusal, type Reader } from './tokens.js';

/** CREATE SOURCE, MATERIALIZED VIEW and SINK; the kind has been read. */
export async function create(state: State, reader: Reader, kind: Kind, manners: Manners): Promise<Answer> {
  const ifNotExists = reader.take('if', 'not', 'exists');
  const name = reader.identifier();
  const tag = `CREATE_${kind.toUpperCase().replace(' ', '_')}`;
  const made = kind === 'source' ? source(reader) : kind === 'sink' ? sink(state, reader) : view(state, reader);
  const there = state.find('public', name);
  if (there !== undefined) {
    if (!ifNotExists) throw new Refusal(`Failed to run the query\n\nCaused by:\n  Catalog error: ${there.kind} with name ${name} exists`);
    // Whatever it is: nothing is compared.
    return { tag, notice: `relation "${name}" already exists, skipping` };
  }
  const held = manners.hold?.(name);
  const status = held === undefined ? 'CREATED' : 'CREATING';
  const entry: Entry = {
    ...made,
    id: state.id(),
    kind,
    schema: 'public',
    name,
    definition: state.words(reader.sql),
    rows: new Map(),
    status,
  };
  state.entries.push(entry);
  await held;
  entry.status = 'CREATED';
  return { tag };
}

type Made = Pick<Entry, 'columns' | 'watermark' | 'appendOnly' | 'reads' | 'options'>;

function source(reader: Reader): Made {
  const columns: Columns = {};
  let watermark: string | undefined;
  reader.expect('(');
  do {
    if (reader.take('watermark', 'for')) {
      watermark = reader.identifier();
      if (columns[watermark] !== 'timestamptz') throw new Refusal(`Bind error: the watermark column ${watermark} is no timestamp`);
      reader.expect('as');
      reader.identifier();
      reader.expect('-');
      reader.expect('interval');
      reader.string();
    } else {
      const name = reader.identifier();
      const type = TYPE_NAMES[reader.peek().value];
      if (type === undefined) throw reader.expected('a data type name');
      reader.next();
      columns[name] = type;
    }
  } while (reader.take(','));
  reader.expect(')');
  while (reader.take('include')) {
    const what = reader.identifier();
    columns[reader.take('as') ? reader.identifier() : `_rw_kafka_${what}`] = what === 'timestamp' ? 'timestamptz' : 'varchar';
  }
  const options = parseWith(reader);
  checkSource(options);
  reader.expect('format', 'plain', 'encode', 'json');
  reader.end();
  return { columns, watermark, appendOnly: true, reads: [], options };
}

const lookupIn = (state: State) => (name: string) => state.read(name);

function view(state: State, reader: Reader): Made {
  reader.expect('as');
  const query = parseQuery(reader, lookupIn(state));
  reader.end();
  return { ...query, options: {} };
}

function sink(state: State, reader: Reader): Made {
  let query: Query;
  const isQuery = reader.take('as');
  if (isQuery) query = parseQuery(reader, lookupIn(state));
  else {
    reader.expect('from');
    const { id, columns, appendOnly } = state.read(reader.identifier());
    query = { columns, reads: [id], appendOnly };
  }
  const options: Options = parseWith(reader);
  checkSink(options, query.appendOnly, isQuery);
  reader.end();
  return { ...query, options };
}
