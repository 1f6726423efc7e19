import { inspect } from 'node:util';

const known = new Set<string>();
const MASK = '***';

/** A value that prints as `***` everywhere; `reveal()` is for the boundary to a server or a file only. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    rememberSecret(value);
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
 * Makes `redact` mask this value, and the forms in which it would show elsewhere (base64, JSON, URL).
 * Values under 6 characters are left out: they would mask ordinary words.
 */
export function rememberSecret(value: string): void {
  if (value.length < 6) return;
  for (const form of [
    value,
    Buffer.from(value).toString('base64'),
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    value.replaceAll("'", "''"),
  ])
    known.add(form);
}

/** Masks every secret that this process knows; each sink (stdout, stderr, logs, JSON, errors) passes through here. */
export function redact(text: string): string {
  let out = text;
  // Longest first, so that a secret inside another one leaves no remainder.
  for (const value of [...known].sort((a, b) => b.length - a.length)) out = out.replaceAll(value, MASK);
  return out;
}
