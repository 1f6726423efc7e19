import { Refusal, type Reader } from './tokens.js';

export type Options = Record<string, string>;

/** WITH ( key = 'value', … ); keys are words with dots. */
export function parseWith(reader: Reader): Options {
  reader.expect('with');
  reader.expect('(');
  const options: Options = {};
  do {
    let key = reader.identifier();
    while (reader.take('.')) key += `.${reader.identifier()}`;
    reader.expect('=');
    const { type, value } = reader.peek();
    if (type !== 'string' && type !== 'number' && !['true', 'false'].includes(value)) throw reader.expected('a value');
    reader.next();
    if (key in options) throw new Refusal(`Invalid input syntax: Duplicated option: ${key}`);
    options[key] = value;
  } while (reader.take(','));
  reader.expect(')');
  return options;
}

const SOURCE = ['connector', 'topic', 'properties.bootstrap.server', 'scan.startup.mode', 'scan.startup.timestamp.millis'];
const SINK = {
  required: ['connector', 'type', 'table.name', 'database.name', 'warehouse.path', 'catalog.name', 'catalog.type'],
  // A REST catalog, and an object store at an address of its own (risingwave#19440: the region is wanted there too).
  rest: ['catalog.uri', 's3.endpoint', 's3.region', 's3.access.key', 's3.secret.key'],
  optional: [
    'force_append_only',
    'ignore_delete',
    'primary_key',
    'catalog.credential',
    'catalog.token',
    'catalog.oauth2_server_uri',
    'catalog.scope',
    'catalog.security',
    'catalog.header',
    'catalog.io_impl',
    'vended_credentials',
    's3.path.style.access',
    's3.iam_role_arn',
    'enable_config_load',
    'create_table_if_not_exists',
    'partition_by',
    'order_key',
    'format_version',
    'write_mode',
    'commit_retry_num',
    'is_exactly_once',
    'commit_checkpoint_interval',
    'enable_compaction',
    'enable_snapshot_expiration',
    'snapshot',
  ],
};

function check(options: Options, required: string[], known: string[]): void {
  for (const key of required) if (!options[key]) throw new Refusal(`Sink error: config error: missing field \`${key}\``);
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Refusal(`Unknown fields in the WITH clause: ${unknown.join(', ')}`);
  const empty = Object.keys(options).filter((key) => options[key] === '');
  if (empty.length > 0) throw new Refusal(`Invalid parameter value: ${empty.join(', ')} is empty`);
}

export function checkSource(options: Options): void {
  check(options, SOURCE.slice(0, 3), SOURCE);
  if (options['connector'] !== 'kafka') throw new Refusal(`Protocol error: connector ${options['connector']} is not here`);
  const mode = options['scan.startup.mode'] ?? 'earliest';
  if (mode !== 'earliest' && mode !== 'latest')
    throw new Refusal(`properties \`scan.startup.mode\` only supports earliest and latest or leaving it empty, got ${mode}`);
}

export function checkSink(options: Options, appendOnly: boolean, isQuery: boolean): void {
  const rest = options['catalog.type'] === 'rest' ? SINK.rest : [];
  check(options, [...SINK.required, ...rest], [...SINK.required, ...SINK.rest, ...SINK.optional]);
  const bad = (why: string): Refusal => new Refusal(`Sink error: ${why}`);
  if (options['connector'] !== 'iceberg') throw bad(`connector ${options['connector']} is not here`);
  const type = options['type'];
  if (type !== 'append-only' && type !== 'upsert') throw bad("`type` must be 'append-only', 'debezium', or 'upsert'");
  if (type === 'upsert' && !options['primary_key']) throw bad('config error: `primary_key` must not be empty in upsert');
  if ('force_append_only' in options && 'ignore_delete' in options)
    throw bad('`ignore_delete` and `force_append_only` are the same option; set one of them');
  const force = options['force_append_only'] === 'true' || options['ignore_delete'] === 'true';
  if (force && type !== 'append-only') throw bad('Cannot force the sink to be append-only without "type=\'append-only\'".');
  if (type === 'append-only' && !appendOnly && !force)
    throw bad(
      'The sink cannot be append-only. Please add "force_append_only=\'true\'" in WITH options to force the sink to be append-only.',
    );
  if (isQuery && options['snapshot'] === 'false') throw bad('`snapshot = false` is not supported for a sink with a query');
  const interval = options['commit_checkpoint_interval'];
  if (interval !== undefined && !/^[1-9]\d*$/.test(interval))
    throw bad('config error: `commit_checkpoint_interval` must be greater than 0');
}
