import type { Options } from './options.js';
import type { Readable } from './query.js';
import { Refusal, tokenize, type Token } from './tokens.js';

export type Kind = 'source' | 'materialized view' | 'sink' | 'table';

export interface Entry extends Readable {
  kind: Kind;
  schema: string;
  name: string;
  definition: string;
  reads: number[];
  options: Options;
  /** Rows of a table, by key. */
  rows: Map<string, Record<string, string>>;
  key?: string | undefined;
  status: 'INITIAL' | 'CREATING' | 'CREATED';
}

export interface Event {
  at: Date;
  type: string;
  info: unknown;
}

/** What a RisingWave knows: objects in schemas, and what happened. */
export class State {
  schemas = new Map<string, number>([
    ['public', 1],
    ['rw_catalog', 2],
  ]);
  entries: Entry[] = [];
  events: Event[] = [];
  workers = ['META', 'FRONTEND', 'COMPUTE_NODE', 'COMPACTOR'].map((type) => ({ type: `WORKER_TYPE_${type}`, state: 'RUNNING' }));
  /** When it completed its newest barrier; undefined where the log of events is off. */
  barrierAt: () => Date | undefined = () => new Date();
  /** Null as long as it cannot tell. */
  lag: number | null = 0;
  version = 'PostgreSQL 13.14.0-RisingWave-3.0.3 (fake)';
  /** Writes that a read sees after the next FLUSH only. */
  pending: (() => void)[] = [];
  /** How it words a definition. */
  words: (sql: string) => string = inOwnWords;
  #nextId = 100;

  id(): number {
    return this.#nextId++;
  }

  find(schema: string, name: string): Entry | undefined {
    return this.entries.find((entry) => entry.schema === schema && entry.name === name);
  }

  read(name: string, schema = 'public'): Entry {
    const found = this.find(schema, name);
    if (found === undefined || found.kind === 'sink')
      throw new Refusal(`Failed to run the query\n\nCaused by:\n  Catalog error: table or source not found: ${name}`);
    return found;
  }

  dependents({ id }: Pick<Entry, 'id'>): Entry[] {
    return this.entries.filter(({ reads }) => reads.includes(id));
  }

  drop(entry: Entry): void {
    const dependents = this.dependents(entry);
    if (dependents.length > 0)
      throw new Refusal(
        `Failed to run the query\n\nCaused by:\n  Permission denied: ${entry.kind} used by ${dependents.length} other objects.\n` +
          `DETAIL: ${dependents.map((one) => `${one.kind} ${one.schema}.${one.name} depends on it`).join(', ')}`,
      );
    this.entries = this.entries.filter((one) => one !== entry);
  }
}

const TYPE_WORDS: Record<string, string> = {
  varchar: 'CHARACTER VARYING',
  string: 'CHARACTER VARYING',
  integer: 'INT',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
};
const KEYWORDS =
  /^(create|source|materialized|view|sink|if|not|exists|as|select|from|where|group|by|and|or|is|null|case|when|then|else|end|emit|on|window|close|with|format|plain|encode|json|interval|watermark|for|include|table|primary|key)$/;

/** A statement in RisingWave's own words: what its catalog shows as the definition, credentials in clear. */
export function inOwnWords(sql: string): string {
  const tokens = tokenize(sql).filter(({ type, value }) => type !== 'end' && value !== ';');
  const words = tokens.map((token, at) => wordOf(token, tokens[at - 1], tokens[at + 1], tokens[at + 2]));
  return words
    .filter((word) => word !== '')
    .join(' ')
    .replace(/ ?\. ?/g, (dot, at: number, text: string) => (isQuoted(text, at) ? dot : '.'))
    .replace(/ ([,)])/g, '$1')
    .replace(/(\w) \(/g, (part, letter: string, at: number, text: string) =>
      /(WITH|AS|IN|VALUES)$/.test(text.slice(0, at + 1)) ? part : `${letter}(`,
    )
    .replace(/\( /g, '(')
    .replace(/ :: | ::/g, '::')
    .trim();
}

const isQuoted = (text: string, at: number): boolean => (text.slice(0, at).match(/'/g)?.length ?? 0) % 2 === 1;

function wordOf(token: Token, before: Token | undefined, after: Token | undefined, afterNext: Token | undefined): string {
  const { type, text, value } = token;
  if (type === 'string' && after?.value === '::' && afterNext !== undefined)
    return `CAST(${text} AS ${TYPE_WORDS[afterNext.value] ?? afterNext.text})`;
  if (value === '::' || before?.value === '::') return '';
  if (type !== 'word') return text;
  const inOption = before?.value === '.' || after?.value === '.' || after?.value === '=';
  if (inOption) return text;
  return KEYWORDS.test(value) ? value.toUpperCase() : (TYPE_WORDS[value] ?? text);
}
