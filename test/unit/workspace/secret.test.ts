import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact, rememberSecret, Secret } from '../../../src/workspace/secret.js';

/** A value that appears in no other text of this file. */
const value = fc.string({ minLength: 8, unit: 'grapheme' }).map((text) => `§${text}`);
const awkward = fc
  .array(fc.constantFrom("'", '"', '\\', '\n', '$&', '.*', '(', '[', '%', ' ', 'ä', '***', 'x', '+', '/', '='), {
    minLength: 6,
    maxLength: 40,
  })
  .map((parts) => `§${parts.join('')}`);

describe('Secret', () => {
  it('prints as *** in every way', () => {
    const secret = new Secret('hunter2hunter2');
    const shown = [
      String(secret),
      ['a', secret].join(),
      JSON.stringify({ secret }),
      inspect({ deep: [secret] }, { showHidden: true, depth: 9 }),
    ];
    for (const text of shown) {
      expect(text).not.toContain('hunter2');
      expect(text).toContain('***');
    }
    expect(Object.keys(secret)).toEqual([]);
    expect(structuredClone({ ...secret })).toEqual({});
    expect(secret.reveal()).toBe('hunter2hunter2');
  });
});

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

describe('redact', () => {
  const forms = (secret: string): string[] => [
    secret,
    Buffer.from(secret).toString('base64'),
    inJson(secret),
    secret.replaceAll("'", "''"),
    // In the constants of PostgreSQL that begin with E.
    secret.replaceAll("'", "''").replaceAll('\\', '\\\\'),
    ...[secret, secret.replaceAll("'", "''")].map((text) => inJson(inJson(text))),
    inJson(secret.replaceAll("'", "''")),
    ...[encodeURIComponent(secret), encodeURI(secret), new URLSearchParams({ x: secret }).toString().slice(2)].flatMap((text) => [
      text,
      text.replace(/%../g, (part) => part.toLowerCase()),
      text.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`),
    ]),
  ];

  it('takes a large text in a moment', () => {
    for (let index = 0; index < 50; index++) new Secret(`secret-number-${index}-with-some-length`);
    const text = 'a line of a log that says nothing of interest, secret-number-7-with-some-length\n'.repeat(50_000);
    const started = performance.now();
    const masked = redact(text);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(masked).not.toContain('secret-number');
  });

  it('masks every form of any value, and nothing beside it', () => {
    fc.assert(
      fc.property(fc.oneof(awkward, value), (secret) => {
        rememberSecret(secret);
        for (const form of forms(secret)) expect(redact(`before ${form} after ${form}`)).toBe('before *** after ***');
      }),
      { numRuns: 300 },
    );
  });

  it('masks a value inside a longer base64 text, wherever it begins', () => {
    fc.assert(
      fc.property(awkward, fc.string(), fc.string(), (secret, before, after) => {
        rememberSecret(secret);
        for (const encoding of ['base64', 'base64url'] as const) {
          const masked = redact(Buffer.from(`${before}${secret}${after}`).toString(encoding));
          const [head = '', tail = ''] = masked.split('***');
          const left =
            Buffer.from(`${head}${'A'.repeat((4 - (head.length % 4)) % 4)}`, encoding).length + Buffer.from(tail, encoding).length;
          expect(masked).toContain('***');
          // At most what the neighbours' bits hold of its first and its last byte.
          expect(left).toBeLessThanOrEqual(Buffer.byteLength(before + after) + 6);
        }
      }),
    );
  });

  it.each([
    ['a form', 'grant_type=client_credentials&client_secret=a%27b%22c+%26%5C&scope=all'],
    ['a URL', 'http://h/token?secret=a%27b%22c%20%26%5c'],
    ['a document in a document', JSON.stringify({ body: JSON.stringify({ secret: `a'b"c &\\` }) })],
    ['a statement in a log line', JSON.stringify({ statement: `ALTER ROLE views PASSWORD 'a''b"c &\\'` })],
    ['a statement with an E', `ALTER ROLE views PASSWORD E'a''b"c &\\\\'`],
  ])('masks it in %s', (_, text) => {
    new Secret(`a'b"c &\\`);
    expect(redact(text)).toContain('***');
    expect(redact(text)).not.toMatch(/a(%27|''|')b/);
  });

  it('takes a value with half of a surrogate pair', () => {
    new Secret('half\ud800of-it');
    expect(redact('x half\ud800of-it y')).toBe('x *** y');
  });

  it('masks values that hold one another, whichever came first', () => {
    new Secret('inner-value');
    new Secret('outer-inner-value-outer');
    new Secret('value-outermost');
    const masked = redact('a outer-inner-value-outer b inner-value c outer-inner-value-outermost');
    for (const part of ['inner', 'outer', 'value']) expect(masked).not.toContain(part);
  });

  it('leaves short words and all else alone', () => {
    new Secret('the');
    expect(redact('the quick brown fox')).toBe('the quick brown fox');
  });
});
