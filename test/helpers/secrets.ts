import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Sandbox } from './forge.js';
import { entriesIn } from './leaks.js';

type Runs = Pick<Sandbox, 'root' | 'forge'>;

/** Names and values of the files in .forge/credentials. */
export type CredentialFiles = Record<string, Record<string, string>>;

/** Text that shells, SQL, YAML, JSON, properties and regular expressions take for something else, and that is nowhere by chance. */
const HARD = ["'", '"', "''", '\\', '`', '$(id)', '{{ x }}', ';', '--', ' ', '%41', '#', '&', '.*', '[a-z]', '(', '|', '</', '+', '/', '='];
/** A value that is hard to quote. */
export const hard = fc
  .tuple(fc.array(fc.constantFrom(...HARD), { minLength: 5, maxLength: 12 }), fc.stringMatching(/^[A-Za-z0-9]{10}$/))
  .map(([pieces, text]) => `Z${pieces.join('')}${text}Z`.replaceAll('${', '$ {'));
const identifier = fc.stringMatching(/^[A-Za-z0-9]{10}$/).map((text) => `K'"${text}$;`);

const files = (password: fc.Arbitrary<string>): fc.Arbitrary<CredentialFiles> =>
  fc.record({
    postgresql: fc.record({ username: fc.constant('forge'), password: hard }),
    'catalog-db': fc.record({ username: fc.constant('catalog'), password: hard }),
    views: fc.record({ username: fc.constant('views'), password }),
    aws: fc.record({ accessKeyId: identifier, secretAccessKey: hard }),
    'polaris-root': fc.record({ clientId: identifier, clientSecret: hard }),
    'polaris-principal': fc.record({ clientId: identifier, clientSecret: hard }),
    'risingwave-db': fc.record({ username: fc.constant('risingwave'), password: hard }),
  });
/** The same ones for the same seed. */
export const drawn = (password: fc.Arbitrary<string>, seed: number): CredentialFiles =>
  fc.sample(files(password), { numRuns: 1, seed })[0]!;

/** Each secret value and the forms in which it would stand elsewhere. */
export function formsOf(written: CredentialFiles): Map<string, string> {
  const forms = new Map<string, string>();
  for (const [name, fields] of Object.entries(written))
    for (const [field, value] of Object.entries(fields).filter(([field]) => field !== 'username'))
      for (const form of [
        value,
        Buffer.from(value).toString('base64').replace(/=+$/, ''),
        JSON.stringify(value).slice(1, -1),
        JSON.stringify(JSON.stringify(value)).slice(3, -3),
        encodeURIComponent(value.replaceAll('\uD800', '')),
        value.replaceAll("'", "''"),
      ])
        if (form !== '') forms.set(form, `${name}.${field}`);
  return forms;
}

/** The credentials of which a text holds a form. */
export const foundIn = (text: string, forms: Map<string, string>): string[] =>
  [...forms].filter(([form]) => text.includes(form)).map(([, name]) => name);

/** Shown on request, on stdout and nowhere else. */
const mayShow = (args: string[]): boolean => args[0] === 'env';

/** Every process of this machine whose command line shows one of these, until `stop`. */
export function watchProcessList(forms: Map<string, string>): () => string[] {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ');
        for (const name of foundIn(line, forms)) seen.add(`${name} in ${line.slice(0, 40)}`);
      } catch {
        // It has ended.
      }
  };
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    return [...seen];
  };
}

/** Runs commands; none of them shows a secret, nor ends as a defect, nor leaves one where it is not to be. Gives their exit codes. */
export async function expectSilence(box: Runs, written: CredentialFiles, commands: string[][]): Promise<Map<string, number | null>> {
  const forms = formsOf(written);
  const stop = watchProcessList(forms);
  const codes = new Map<string, number | null>();
  const leaks: string[] = [];
  const one = async (args: string[]): Promise<void> => {
    const ran = await box.forge(args);
    const line = args.join(' ');
    codes.set(line, ran.code);
    if (ran.code === 1 || ran.code === null) leaks.push(`forge ${line} ended as a defect: ${ran.stderr}`);
    leaks.push(...foundIn(ran.stderr, forms).map((name) => `${name} on stderr of forge ${line}`));
    if (!mayShow(args) || ran.code !== 0) leaks.push(...foundIn(ran.stdout, forms).map((name) => `${name} on stdout of forge ${line}`));
    if (args.includes('--json') && ran.stdout !== '') JSON.parse(ran.stdout);
  };
  for (const args of commands) await one(args);
  expect(leaks).toEqual([]);
  expect(stop()).toEqual([]);
  expectFiles(box, forms);
  return codes;
}

/** As text and as JSON. */
export const inBothForms = (args: string[]): string[][] => (args.includes('--bundle') ? [args] : [args, [...args, '--json']]);

/** What holds a secret is for its owner only, and nothing that is kept to be read or sent holds one. */
export function expectFiles(box: Runs, forms: Map<string, string>): void {
  for (const { path, mode, kind } of entriesIn(box.root)) {
    if (kind !== 'file') continue;
    const bytes = readFileSync(join(box.root, path));
    const found = foundIn((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1'), latin(forms));
    if (found.length === 0) continue;
    expect(mode & 0o077, `${path} holds ${found.join(', ')}`).toBe(0);
    expect(path, `holds ${found.join(', ')}`).toMatch(/^\.forge\/(credentials|generated|data)\//);
  }
}
const latin = (forms: Map<string, string>): Map<string, string> =>
  new Map([...forms].map(([form, name]) => [Buffer.from(form).toString('latin1'), name]));
