import { describe, expect, it } from 'vitest';
import { changedPart, maskCredentials } from '../../../src/engines/risingwave/mask.js';
import { canonical, objectsOf } from '../../../src/engines/risingwave/statements.js';
import { Secret } from '../../../src/workspace/secret.js';
import { execute } from '../../helpers/fake-risingwave/execute.js';
import { inOwnWords, State } from '../../helpers/fake-risingwave/state.js';

const SINK = `CREATE SINK IF NOT EXISTS s FROM mv WITH (
  connector = 'iceberg', type = 'append-only', catalog.credential = 'id:it''s', s3.access.key='KEY', s3.secret.key   =   'SECRET', s3.region = 'r'
);`;

describe('credentials', () => {
  it.each([
    [SINK, ["id:it''s", 'KEY', 'SECRET'], ["s3.region = 'r'", "connector = 'iceberg'"]],
    [inOwnWords(SINK), ["id:it''s", 'KEY', 'SECRET'], ["s3.region = 'r'"]],
    ['{"s3.secret.key": "SE\\"CRET", "s3.region": "r", "catalog.credential":"id:x"}', ['CRET', 'id:x'], ['"s3.region": "r"']],
    ["LINE 7:   catalog.credential = 'id:never-closed", ['never-closed'], ['LINE 7']],
    ["properties.sasl.password = 'p w', topic = 't'", ['p w'], ["topic = 't'"]],
  ])('are masked where they stand in WITH or JSON: %s', (text, gone, kept) => {
    const masked = maskCredentials(text);
    for (const secret of gone) expect(masked).not.toContain(secret);
    for (const word of kept) expect(masked).toContain(word);
  });

  it('are masked anywhere else too, when forge knows them', () => {
    const secret = new Secret('known-to-forge-only');
    expect(maskCredentials(`commit failed for ${secret.reveal()}`)).toBe('commit failed for ***');
  });
});

describe('what differs between two statements', () => {
  it('is shown with the words before it, and the rest is not', () => {
    const is = "SELECT a FROM t WITH (x = '1', commit = '3', y = '2')";
    expect(changedPart(is, is.replace("'3'", "'5'"))).toEqual({ is: "commit = '3',", should: "commit = '5'," });
  });

  it('is not shown when it is a credential', () => {
    expect(changedPart(SINK, SINK.replace('SECRET', 'OTHER!'))).toEqual({ is: '***', should: '***' });
    const both = changedPart(SINK, SINK.replace('SECRET', 'OTHER!').replace("'r'", "'r2'"));
    expect(JSON.stringify(both)).not.toMatch(/SECRET|OTHER/);
    expect(both.should).toContain("'r2'");
  });

  it('is cut when it is long', () => {
    expect(changedPart('a', `b ${'x'.repeat(5000)}`).should.length).toBeLessThan(400);
  });
});

describe('statements', () => {
  it('layout, case, comments and IF NOT EXISTS make no difference; names in quotes and values do', () => {
    const one = "CREATE SOURCE IF NOT EXISTS e (\n  a varchar, -- who\n  b integer\n) WITH (k.x = 'A  B');";
    expect(canonical(one)).toBe(canonical("create source e(a CHARACTER VARYING,b INT)with( k.x='A  B' )"));
    expect(canonical(one)).not.toBe(canonical(one.replace('A  B', 'a  b')));
    expect(canonical(one)).not.toBe(canonical(one.replace('b integer', 'b bigint')));
  });

  it('RisingWave says the same in its own words', () => {
    for (const sql of [SINK, "CREATE SINK s AS SELECT a FROM t WHERE w >= '2026-01-01 00:00:00+00:00'::timestamptz WITH (type = 'x')"])
      expect(canonical(inOwnWords(sql))).toBe(canonical(sql));
  });

  it('a sink that goes on behind its last window is the same sink', () => {
    const from = (time: string): string => `CREATE SINK s AS SELECT a FROM t WHERE w >= '${time}'::timestamptz AND a > '1' WITH (x = 'y')`;
    expect(canonical(from('1970-01-01 00:00:00+00:00'))).toBe(canonical(from('2026-11-21 10:15:00+00:00')));
  });

  it('are found by what they create; anything else in a script is an error', () => {
    expect(objectsOf("-- a; b\nCREATE  MATERIALIZED\nVIEW IF NOT EXISTS v AS SELECT ';' ;CREATE SINK s FROM v WITH (a='b');")).toEqual([
      { kind: 'materialized view', name: 'v', statement: "CREATE  MATERIALIZED\nVIEW IF NOT EXISTS v AS SELECT ';'" },
      { kind: 'sink', name: 's', statement: "CREATE SINK s FROM v WITH (a='b')" },
    ]);
    expect(() => objectsOf('DROP SINK s')).toThrow(/DROP SINK s/);
  });
});

/** The stand-in has to refuse what RisingWave refuses, or tests against it prove nothing. */
describe('the stand-in', () => {
  const source = (
    more = '',
    tail = 'FORMAT PLAIN ENCODE JSON',
    options = "connector = 'kafka', topic = 't', properties.bootstrap.server = 'k:1'",
  ) => `CREATE SOURCE e (a varchar, n integer, at timestamptz${more}) WITH (${options}) ${tail}`;
  const OPTIONS = `connector = 'iceberg', type = 'append-only', database.name = 'd', table.name = 't', warehouse.path = 'w', catalog.name = 'c',
    catalog.type = 'rest', catalog.uri = 'u', s3.endpoint = 'e', s3.region = 'r', s3.access.key = 'a', s3.secret.key = 's'`;
  const windows = "FROM TUMBLE(e, at, INTERVAL '15 SECONDS') GROUP BY a, window_start";
  const run = async (...statements: string[]) => {
    const state = new State();
    for (const sql of statements) await execute(state, sql);
    return state;
  };

  it.each([
    ['a template that was not filled in', source('', 'FORMAT PLAIN ENCODE JSON', 'connector = {{ x }}'), /expected/],
    ['no WITH', 'CREATE SOURCE e (a varchar) FORMAT PLAIN ENCODE JSON', /expected WITH/],
    ['a key with a hyphen', source('', undefined, "connector = 'kafka', bootstrap-server = 'x'"), /expected =, found: -/],
    ['INCLUDE after FORMAT', source('', 'FORMAT PLAIN ENCODE JSON INCLUDE timestamp'), /found: INCLUDE/],
    ['an interval without quotes', source(', WATERMARK FOR at AS at - INTERVAL 2 SECONDS'), /literal string, found: 2/],
    ['a key twice', source('', undefined, "connector = 'kafka', topic = 'a', topic = 'b'"), /Duplicated option: topic/],
    [
      'an unknown startup mode',
      source('', undefined, "connector = 'kafka', topic = 't', properties.bootstrap.server = 'k', scan.startup.mode = 'now'"),
      /earliest and latest/,
    ],
    ['a watermark on no timestamp', source(", WATERMARK FOR a AS a - INTERVAL '1 SECOND'"), /no timestamp/],
    ['a statement that it does not know', 'VACUUM', /expected/],
    ['SHOW of anything', 'SHOW TABLES_OF_MINE', /unrecognized/],
  ])('refuses %s', (_what, sql, why) => expect(run(sql)).rejects.toThrow(why));

  it.each([
    ['a table that is not there', 'CREATE MATERIALIZED VIEW v AS SELECT a FROM nothing', /not found: nothing/],
    ['a column that is not there', 'CREATE MATERIALIZED VIEW v AS SELECT b FROM e', /Invalid column: b/],
    ['a column beside GROUP BY', 'CREATE MATERIALIZED VIEW v AS SELECT a, n FROM e GROUP BY a', /must appear in the GROUP BY/],
    ['a sum of texts', 'CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM e', /sum\(varchar\) does not exist/],
    [
      'EMIT without a watermark',
      `CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n ${windows}, window_end EMIT ON WINDOW CLOSE`,
      /watermark/,
    ],
    [
      'a changing sink that claims to append',
      `CREATE SINK s AS SELECT a, count(*) AS n FROM e GROUP BY a WITH (${OPTIONS})`,
      /cannot be append-only/,
    ],
    [
      'both names of one option',
      `CREATE SINK s FROM e WITH (${OPTIONS}, force_append_only = 'true', ignore_delete = 'true')`,
      /the same option/,
    ],
    ['an upsert sink without a key', `CREATE SINK s FROM e WITH (${OPTIONS.replace('append-only', 'upsert')})`, /primary_key/],
    ['no snapshot of a query', `CREATE SINK s AS SELECT a FROM e WITH (${OPTIONS}, snapshot = 'false')`, /snapshot/],
    ['a commit interval of 0', `CREATE SINK s FROM e WITH (${OPTIONS}, commit_checkpoint_interval = '0')`, /greater than 0/],
    ...['type', 'table.name', 'catalog.uri', 's3.region', 's3.secret.key'].map(
      (key) =>
        [
          `a sink without ${key}`,
          `CREATE SINK s FROM e WITH (${OPTIONS.replace(new RegExp(`${key.replaceAll('.', '\\.')} = '[^']*',? ?`), '').replace(/,\s*$/, '')})`,
          new RegExp(key),
        ] as const,
    ),
  ] as [string, string, RegExp][])('refuses %s', (_what, sql, why) => expect(run(source(), sql)).rejects.toThrow(why));

  it('skips what is there without comparing, and drops nothing that is read', async () => {
    const view = 'CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT a FROM e';
    const state = await run(source(), view);
    const before = state.find('public', 'v')!.definition;
    expect(await execute(state, view.replace('SELECT a', 'SELECT n'))).toMatchObject({
      notice: expect.stringMatching(/skipping/) as string,
    });
    expect(state.find('public', 'v')!.definition).toBe(before);
    await expect(execute(state, 'DROP SOURCE e')).rejects.toThrow(/used by 1 other objects/);
    await execute(state, 'DROP MATERIALIZED VIEW v');
    await execute(state, 'DROP SOURCE e');
    await expect(execute(state, 'DROP SOURCE e')).rejects.toThrow(/not found/);
  });

  it('shows a write after FLUSH only', async () => {
    const state = await run(
      'CREATE SCHEMA f',
      'CREATE TABLE f.t (name varchar PRIMARY KEY, x varchar)',
      "INSERT INTO f.t (name, x) VALUES ('a', 'b')",
    );
    const read = async () => (await execute(state, 'SELECT x FROM f.t')).rows;
    expect(await read()).toEqual([]);
    await execute(state, 'FLUSH');
    expect(await read()).toEqual([['b']]);
  });
});
