import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { packageRoot } from '../../../src/cli/paths.js';
import { splitStatements } from '../../../src/engines/flink/statements.js';
import { objectsOf } from '../../../src/engines/risingwave/statements.js';
import { ForgeError } from '../../../src/errors.js';
import { formatEnvironment } from '../../../src/lifecycle/env.js';
import { openCredentials, type Credentials } from '../../../src/workspace/credentials.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { openStack } from '../../../src/workspace/open.js';
import { redact } from '../../../src/workspace/secret.js';
import { renderTemplate } from '../../../src/workspace/template.js';
import { templateValues } from '../../../src/workspace/values.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

const PIECES = [
  "'",
  '"',
  "''",
  '\\',
  '`',
  '$',
  '$(id)',
  '{{ x }}',
  ';',
  '--',
  '/*',
  ' ',
  '%',
  '#',
  ':',
  '=',
  '&',
  '?',
  '.*',
  '[',
  '(',
  '|',
  '<',
  'x',
  '7Q',
];
/** What every server can be told, however awkward. */
const awkward = fc
  .tuple(fc.array(fc.constantFrom(...PIECES), { minLength: 4, maxLength: 30 }), fc.string({ minLength: 4, maxLength: 20 }))
  .map(([pieces, text]) => `Z${pieces.join('')}${text}Z`.replaceAll('${', '$ {'));
/** What some server would read in another way. */
const impossible = fc
  .tuple(awkward, fc.constantFrom('\n', '\r', '\r\n', '\0', '\u001B', '\t', 'ä', '\u00AD', '日', '💥', '\uD800', '${x}'), fc.nat(20))
  .map(([text, what, at]) => text.slice(0, at) + what + text.slice(at));
const tooShort = fc.string({ maxLength: 5, unit: fc.constantFrom('~', '^', "'", '9', 'x') });

let root: string;
let credentials: Credentials;
beforeEach(() => {
  root = scratch();
  mkdirSync(path.join(root, '.forge', 'credentials'), { recursive: true });
  credentials = openCredentials(workspaceAt(root));
});
/** As a person would write it, with an editor. */
const byHand = (name: string, fields: Record<string, string>): void =>
  writeFileSync(credentials.file(name), JSON.stringify(fields), { mode: 0o600 });

async function stackOf(engine: 'flink' | 'risingwave'): Promise<StackContext> {
  const flags = { runtime: engine === 'flink' ? 'process' : 'k3d', engine, catalog: 'polaris' };
  return (await openStack({ root, env: {}, flags, cacheDir: scratch(), packageRoot: packageRoot(), allocate: false })).stack;
}

const REASONS =
  /^The credential \S+\/views\.json cannot be used: password (is empty|has more than one line|has other characters than the printable ones of ASCII|begins or ends with a blank|has a \$\{, which Polaris would take for a variable|is shorter than 6 characters: easy to guess, and too common a text to mask)$/;

function refusal(value: string): ForgeError {
  byHand('views', { username: 'views', password: value });
  try {
    credentials.read('views');
  } catch (error) {
    if (error instanceof ForgeError) return error;
    throw error;
  }
  throw new Error(`not refused: ${JSON.stringify(value)}`);
}

/** What `'…'` in SQL stands for. */
const unquoted = (text: string): string => text.slice(1, -1).replaceAll("''", "'");
const option = (sql: string, name: string): string => {
  const at = sql.indexOf(`${name}' = '`);
  const found = /^'(?:[^']|'')*'/.exec(sql.slice(sql.indexOf("= '", at) + 2));
  return unquoted(found![0]);
};

describe('a credential that somebody wrote by hand', () => {
  it('is refused with its name, and never its value, where a server would read it in another way', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          impossible,
          tooShort,
          awkward.map((text) => ` ${text}`),
        ),
        (value) => {
          const error = refusal(value);
          expect(error).toMatchObject({ code: 'CREDENTIAL_REFUSED', exitCode: 2, hint: expect.stringContaining('forge up') as string });
          expect(error.message).toMatch(REASONS);
          // What an old log still shows of it is masked all the same.
          if (value.length >= 6) expect(redact(`log: ${value}.`)).toBe('log: ***.');
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each(['a b', 'a,b', 'a:b', 'a/b', 'a=b', ''])(
    'an identifier that stands in headers has none of the marks that end it there: %j',
    (value) => {
      byHand('aws', { accessKeyId: value, secretAccessKey: 'long-enough' });
      expect(() => credentials.read('aws')).toThrow(/aws\.json cannot be used: accessKeyId (has a blank, comma|is empty)/);
    },
  );

  it('reaches Flink and RisingWave as it is: not one statement more, and the same value in each option', async () => {
    const [flink, risingwave] = [await stackOf('flink'), await stackOf('risingwave')];
    const render = (stack: StackContext, file: string): string =>
      renderTemplate(
        readFileSync(path.join(packageRoot(), 'templates/balloon-popper', file), 'utf8'),
        { ...templateValues(stack), job: 'balloon-popper', refill: false },
        { file },
      ).text;
    for (const name of ['views', 'aws', 'polaris-principal'])
      byHand(name, {
        username: 'plain',
        password: 'plain-one',
        accessKeyId: 'plain',
        secretAccessKey: 'plain-one',
        clientId: 'plain',
        clientSecret: 'plain-one',
      });
    const statements = splitStatements(render(flink, 'flink/pipeline.sql')).length;
    fc.assert(
      fc.property(awkward, awkward, awkward, (password, secretAccessKey, clientSecret) => {
        byHand('views', { username: 'views', password });
        byHand('aws', { accessKeyId: "ke'y", secretAccessKey });
        byHand('polaris-principal', { clientId: "some'one", clientSecret });
        const sql = render(flink, 'flink/pipeline.sql');
        expect(splitStatements(sql)).toHaveLength(statements);
        expect(option(sql, "'password")).toBe(password);
        expect(option(sql, "'s3.secret-access-key")).toBe(secretAccessKey);
        expect(option(sql, "'credential")).toBe(`some'one:${clientSecret}`);
        const sinks = objectsOf(render(risingwave, 'risingwave/sink.sql'));
        expect(sinks.map(({ name }) => name)).toHaveLength(5);
      }),
      { numRuns: 60 },
    );
  });

  it('comes out of `forge env` as it is, in a shell, in YAML, in JSON and for psql', () => {
    const values = fc.sample(fc.record({ PGPASSWORD: awkward, AWS_SECRET_ACCESS_KEY: awkward, ICEBERG_CREDENTIAL: awkward }), {
      numRuns: 25,
      seed: 5,
    });
    for (const secrets of values) {
      const env = { ...secrets, PGHOST: 'h', PGPORT: '1', PGUSER: 'u', PGDATABASE: 'd', ICEBERG_REST_URI: 'http://h' };
      const script = `${formatEnvironment(env, 'bash')}\nprintf '%s\\0' "$PGPASSWORD" "$AWS_SECRET_ACCESS_KEY"`;
      expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(`${secrets.PGPASSWORD}\0${secrets.AWS_SECRET_ACCESS_KEY}\0`);
      expect(JSON.parse(formatEnvironment(env, 'json'))).toEqual(env);
      const yaml = parse(formatEnvironment(env, 'pyiceberg')) as { catalog: { default: Record<string, string> } };
      expect(yaml.catalog.default).toMatchObject({
        credential: secrets.ICEBERG_CREDENTIAL,
        's3.secret-access-key': secrets.AWS_SECRET_ACCESS_KEY,
      });
      const [, quoted] = / password='((?:[^'\\]|\\.)*)' dbname='d'$/.exec(formatEnvironment(env, 'psql'))!;
      expect(quoted!.replace(/\\(.)/g, '$1')).toBe(secrets.PGPASSWORD);
    }
  });
});
