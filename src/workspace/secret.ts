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
 * Makes `redact` mask this value, and the forms in which it would show elsewhere (base64 also inside a longer text, JSON, URL,
 * SQL). Shorter ones than SHORTEST_SECRET are left out.
 */
export function rememberSecret(value: string): void {
  if (value.length < SHORTEST_SECRET || known.has(value)) return;
  for (const form of [value, ...base64Forms(value), JSON.stringify(value).slice(1, -1), encoded(value), value.replaceAll("'", "''")])
    known.add(form);
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

function encoded(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    // Half of a surrogate pair cannot stand in a URL.
    return value;
  }
}
