import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { formatEnvironment } from '../../../src/lifecycle/env.js';

const awkward = `a'b"c\\d $HOME \`id\` !x\\'y # z; & | ü`;
const env = {
  ICEBERG_REST_URI: 'http://127.0.0.1:18181',
  ICEBERG_WAREHOUSE: 's3://lake/warehouse',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:4566',
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: awkward,
  AWS_REGION: 'eu-west-1',
  PGHOST: '127.0.0.1',
  PGPORT: '15432',
  PGUSER: 'views',
  PGPASSWORD: awkward,
  PGDATABASE: `o'clock`,
};

describe('environment', () => {
  it('bash gets every value as it is', () => {
    const script = `${formatEnvironment(env, 'bash')}\nprintf '%s\\0' "$PGPASSWORD" "$PGDATABASE" "$AWS_REGION"`;
    const said = execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8', env: { PATH: process.env.PATH ?? '' } });
    expect(said.split('\0').slice(0, 3)).toEqual([awkward, "o'clock", 'eu-west-1']);
  });

  it('a child of bash sees them: they are exported', () => {
    const script = `eval "$1"; exec printenv PGPASSWORD`;
    const said = execFileSync('bash', ['--norc', '-c', script, 'bash', formatEnvironment(env, 'bash')], { encoding: 'utf8' });
    expect(said).toBe(`${awkward}\n`);
  });

  it('fish: in single quotes a backslash and a quote are escaped, nothing else', () => {
    const line = formatEnvironment({ X: `a'b\\c$d` }, 'fish');
    expect(line).toBe(`set -gx X 'a\\'b\\\\c$d'`);
  });

  it('psql: a connection string as libpq reads it', () => {
    const text = formatEnvironment(env, 'psql');
    expect(libpq(text)).toEqual({ host: '127.0.0.1', port: '15432', user: 'views', password: awkward, dbname: "o'clock" });
  });

  it('pyiceberg: a YAML file whose default catalog has the same values', () => {
    const { catalog } = parse(formatEnvironment(env, 'pyiceberg')) as { catalog: { default: Record<string, string> } };
    expect(catalog.default).toMatchObject({ type: 'rest', uri: env.ICEBERG_REST_URI, 's3.secret-access-key': awkward });
    expect(catalog.default).not.toHaveProperty('credential');
    const polaris = parse(formatEnvironment({ ...env, ICEBERG_CREDENTIAL: 'id:secret' }, 'pyiceberg')) as typeof parse;
    expect(polaris).toMatchObject({ catalog: { default: { credential: 'id:secret', scope: 'PRINCIPAL_ROLE:ALL' } } });
  });

  it('json: one document', () => {
    expect(JSON.parse(formatEnvironment(env, 'json'))).toEqual(env);
  });
});

/** Keyword/value connection strings (PostgreSQL's manual, 32.1.1): values in single quotes, \\ and \' inside them. */
function libpq(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/(\w+)=(?:'((?:[^'\\]|\\.)*)'|([^' ]+))(?: |$)/gs)];
  expect(pairs.map(([whole]) => whole).join('')).toBe(text);
  return Object.fromEntries(pairs.map(([, name, quoted, bare]) => [name!, bare ?? quoted!.replace(/\\(.)/gs, '$1')]));
}
