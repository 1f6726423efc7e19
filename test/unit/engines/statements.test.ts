import { expect, test } from 'vitest';
import { splitStatements } from '../../../src/engines/flink/statements.js';

test('a semicolon in a quoted value or a comment ends no statement', () => {
  expect(splitStatements("SET 'a' = 'x;y'; -- no; end\nSET `b;` = 1;\n-- only a comment\n")).toEqual([
    "SET 'a' = 'x;y'",
    '-- no; end\nSET `b;` = 1',
  ]);
});

test('a statement set stays whole, also with a column that ends in end and a hint', () => {
  const set =
    "EXECUTE STATEMENT SET\nBEGIN\nINSERT INTO a SELECT /*+ STATE_TTL('w;' = '1h') */ window_end FROM b;\nINSERT INTO c SELECT 1;\n-- done\nEND";
  expect(splitStatements(`SET 'x' = '1';\n${set};\n`)).toEqual(["SET 'x' = '1'", set]);
});

test('quotes doubled inside a value do not end it', () => {
  expect(splitStatements("SELECT 'it''s; fine';SELECT 2")).toEqual(["SELECT 'it''s; fine'", 'SELECT 2']);
});
