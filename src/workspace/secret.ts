import { inspect } from 'node:util';

const known = new Set<string>();
let ordered: string[] = [];
const MASK = '***';
/** Shorter ones would mask ordinary words: credentials have to be longer. */
export const SHORTEST_SECRET = 6;

/** A value that prints as `***` everywhere; `reveal()` is for the boundary to a server or a file only. */
export class Secret {
  readonly #value: string;

  /** `remember: false` for what is told with a secret and is none: a user's name would mask an ordinary word everywhere. */
  constructor(value: string, { remember = true } = {}) {
    this.#value = value;
    if (remember) rememberSecret(value);
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/**
 * Makes `redact` mask this value, and the forms in which it would show elsewhere (base64 also inside a longer text, JSON and JSON
 * in a text of JSON, URL, form, SQL). Shorter ones than SHORTEST_SECRET are left out.
 */
export function rememberSecret(value: string): void {
  if (value.length < SHORTEST_SECRET || known.has(value)) return;
  const plain = [value, ...sqlForms(value)];
  for (const form of [...plain, ...plain.flatMap(jsonForms), ...base64Forms(value), ...urlForms(value)]) known.add(form);
  // Longest first, so that a secret inside another one leaves no remainder.
  ordered = [...known].sort((a, b) => b.length - a.length);
}

/** Masks every secret that this process knows; each sink (stdout, stderr, logs, JSON, errors) passes through here. */
export function redact(text: string): string {
  let out = text;
  for (const value of ordered) out = out.replaceAll(value, MASK);
  return out;
}

/** As a whole, and what is the same of it wherever it begins in a longer text (`Basic` credentials are `user:password`). */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const inside = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  return [bytes.toString('base64'), ...inside].flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** In single quotes; of PostgreSQL's constants also those that begin with E, where a backslash is doubled. */
function sqlForms(value: string): string[] {
  const quoted = value.replaceAll("'", "''");
  return [quoted, quoted.replaceAll('\\', '\\\\')];
}

function jsonForms(value: string): string[] {
  const inside = (text: string): string => JSON.stringify(text).slice(1, -1);
  return [inside(value), inside(inside(value))];
}

/** As a part of a URL, as a whole one, and as a form is sent; hexadecimal digits may be small or capital. */
function urlForms(value: string): string[] {
  const form = new URLSearchParams([['', value]]).toString().slice(1);
  const all = [form, ...[encodeURIComponent, encodeURI].flatMap((encode) => encodedBy(encode, value))];
  // RFC 3986 has these reserved, and encodeURIComponent leaves them.
  const strict = all.map((text) => text.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`));
  return [...all, ...strict].flatMap((text) => [text, text.replace(/%[0-9A-F]{2}/g, (part) => part.toLowerCase())]);
}

function encodedBy(encode: (text: string) => string, value: string): string[] {
  try {
    return [encode(value)];
  } catch {
    // Half of a surrogate pair cannot stand in a URL.
    return [];
  }
}
