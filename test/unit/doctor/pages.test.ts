import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { placeChecks, stackChecks } from '../../../src/doctor/checks/index.js';

const checks = [...placeChecks, ...stackChecks];
const ids = checks.map(({ id }) => id);

test('every check has a section in docs/troubleshooting.md, and no section is left over', () => {
  const text = readFileSync(join(packageRoot(), 'docs', 'troubleshooting.md'), 'utf8');
  const sections = [...text.matchAll(/^### (.+)$/gm)].map(([, title]) => title!);
  expect([...sections].sort()).toEqual([...ids].sort());
  for (const section of text.split(/^### /m).slice(1)) expect(section.trim().split('\n').length, section).toBeGreaterThan(1);
});

test('ids are unique and speak for themselves; what is needed exists and comes before', () => {
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  checks.forEach(({ id, needs = [], unless = [] }, at) => {
    for (const needed of [...needs, ...unless]) expect(ids.slice(0, at), `${id} needs ${needed}`).toContain(needed);
  });
});

test('nobody is sent to `forge down` or `forge catalog reset` without a word on what that removes', () => {
  const folder = join(packageRoot(), 'src', 'doctor');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const lines = [...files.map((name) => join(folder, name)), join(packageRoot(), 'docs', 'troubleshooting.md')]
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .filter((line) => /`forge (down(?! --keep-data)|catalog reset)/.test(line) && !line.includes('was stopped by'));
  expect(lines.filter((line) => !/removes the data|loses|without its tables/.test(line))).toEqual([]);
  expect(lines.length).toBeGreaterThan(2);
});
