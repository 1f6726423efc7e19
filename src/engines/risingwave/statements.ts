import { createHash } from 'node:crypto';
import { splitStatements } from '../flink/statements.js';

/** What forge makes in RisingWave. */
export type ObjectKind = 'source' | 'materialized view' | 'sink';

export interface ObjectName {
  kind: ObjectKind;
  name: string;
}

const CREATE = /^CREATE\s+(SOURCE|MATERIALIZED\s+VIEW|SINK)\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)"?/i;

/** The statements of a script by what they create, in order; anything else in it is an error. */
export function objectsOf(script: string): (ObjectName & { statement: string })[] {
  return splitStatements(script).map((text) => {
    const statement = withoutComments(text).trim();
    const [, kind, name] = CREATE.exec(statement) ?? [];
    if (kind === undefined || name === undefined)
      throw new Error(`it creates no source, materialized view or sink: ${statement.split(/\s+/).slice(0, 4).join(' ')} …`);
    return { kind: kind.toLowerCase().replace(/\s+/, ' ') as ObjectKind, name, statement };
  });
}

/** Pieces of SQL: a quoted text, a comment, white space, or anything else. */
const PIECE = /('(?:[^']|'')*'|"(?:[^"]|"")*")|(--[^\n]*|\/\*[^]*?\*\/)|(\s+)|([^\s'"])/g;

const withoutComments = (sql: string): string => sql.replace(PIECE, (piece, _quoted, comment) => (comment === undefined ? piece : ' '));

/** From when on a sink takes windows, as the templates have it; forge puts another time in its place. */
const SINCE = /'[^']*'(?=\s*::\s*timestamptz\b)/i;
const START = "'1970-01-01 00:00:00+00:00'";

/** The statement for a table that holds every window up to `since`. */
export function startingAt(statement: string, since: Date): string {
  if (!SINCE.test(statement)) throw new Error('the sink has no time from which on it takes windows');
  return statement.replace(SINCE, `'${since.toISOString().slice(0, 19).replace('T', ' ')}+00:00'`);
}

/** What RisingWave writes in another way than people do. */
const WORDS: [RegExp, string][] = [
  [/\bcharacter varying\b/g, 'varchar'],
  [/\btimestamp with time zone\b/g, 'timestamptz'],
  [/\bint\b/g, 'integer'],
  [/\bcast ?\( ?('[^']*') as (\w+) ?\)/g, '$1::$2'],
];

/** The same for statements that mean the same: without layout, case, IF NOT EXISTS and the time from which on windows are taken. */
export function canonical(statement: string): string {
  let out = '';
  for (const [piece, quoted, comment] of statement.matchAll(PIECE))
    out += quoted ?? (comment !== undefined || /\s/.test(piece) ? ' ' : piece.toLowerCase());
  const spaced = out.replace(/ +/g, ' ').replace(' if not exists ', ' ');
  return WORDS.reduce((text, [pattern, word]) => text.replace(pattern, word), spaced)
    .replace(/ *([(),=;]|::) */g, '$1')
    .replace(/;$/, '')
    .trim()
    .replace(SINCE, START);
}

/** Nobody gets a (random) credential back out of 64 bits of its hash. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
