/** What RisingWave answers instead of doing something. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly code = 'XX000',
  ) {
    super(message);
  }
}

export interface Token {
  type: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'end';
  /** As it was written. */
  text: string;
  /** Without quotes; words in lower case. */
  value: string;
  at: number;
}

const PATTERN =
  /(?<space>\s+|--[^\n]*|\/\*[^]*?\*\/)|(?<string>E?'(?:[^']|'')*')|(?<quoted>"(?:[^"]|"")*")|(?<number>\d+(?:\.\d+)?)|(?<word>[A-Za-z_][\w$]*)|(?<symbol>::|>=|<=|<>|[-+*/=<>(),.;])/y;

/** As the parser quotes the place: with the whole line, whatever stands in it. */
export function parserError(sql: string, at: number, message: string): Refusal {
  const before = sql.slice(0, at).split('\n');
  const line = sql.split('\n')[before.length - 1] ?? '';
  return new Refusal(`Failed to run the query\n\nCaused by:\n  sql parser error: ${message}\nLINE ${before.length}: ${line}`);
}

export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    PATTERN.lastIndex = at;
    const found = PATTERN.exec(sql);
    if (found === null) throw parserError(sql, at, `expected an expression, found: ${sql[at]}`);
    const [text] = found;
    const groups = found.groups!;
    const { string, quoted, word } = groups;
    if (groups['space'] === undefined) {
      const type = (['string', 'quoted', 'number', 'word', 'symbol'] as const).find((name) => groups[name] !== undefined)!;
      const value =
        string !== undefined
          ? string.replace(/^E?'|'$/g, '').replaceAll("''", "'")
          : quoted !== undefined
            ? quoted.slice(1, -1).replaceAll('""', '"')
            : word !== undefined
              ? word.toLowerCase()
              : text;
      tokens.push({ type, text, value, at });
    }
    at += text.length;
  }
  tokens.push({ type: 'end', text: 'EOF', value: '', at: sql.length });
  return tokens;
}

/** Reads tokens one after the other, as the parser does. */
export class Reader {
  #at = 0;

  constructor(
    readonly sql: string,
    readonly tokens: Token[] = tokenize(sql),
  ) {}

  get position(): number {
    return this.#at;
  }

  skipTo(position: number): void {
    this.#at = position;
  }

  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.#at + ahead, this.tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.peek();
    this.#at++;
    return token;
  }

  expected(what: string): Refusal {
    return parserError(this.sql, this.peek().at, `expected ${what}, found: ${this.peek().text}`);
  }

  /** Whether these words or symbols come next; then they are taken. */
  take(...words: string[]): boolean {
    const isNext = words.every((word, ahead) => {
      const { type, value } = this.peek(ahead);
      return (type === 'word' || type === 'symbol') && value === word;
    });
    if (isNext) this.#at += words.length;
    return isNext;
  }

  expect(...words: string[]): void {
    if (!this.take(...words)) throw this.expected(words.join(' ').toUpperCase());
  }

  identifier(): string {
    const { type, value } = this.peek();
    if (type !== 'word' && type !== 'quoted') throw this.expected('identifier');
    this.next();
    return value;
  }

  string(): string {
    if (this.peek().type !== 'string') throw this.expected('literal string');
    return this.next().value;
  }

  end(): void {
    this.take(';');
    if (this.peek().type !== 'end') throw this.expected('end of statement');
  }
}

/** The statements of a message, with the text of each. */
export function splitMessage(sql: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (const { type, value, at } of tokenize(sql)) {
    if (type !== 'end' && !(type === 'symbol' && value === ';')) continue;
    const text = sql.slice(start, at).trim();
    if (tokenize(text).length > 1) parts.push(text);
    start = at + 1;
  }
  return parts;
}
