import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { placeOf } from '../../../src/cli/doctor-text.js';
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

test('pages that forge names come with it, and are named where they are', () => {
  const root = packageRoot();
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  const sources = ['src', 'commands'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name)),
  );
  const named = sources
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\bdocs\/[a-z-]+\.md\b/g)].map(([page]) => page));
  expect(named).toContain('docs/troubleshooting.md');
  for (const page of named) expect(files.some((one) => page.startsWith(`${one}/`)) && existsSync(join(root, page)), page).toBe(true);
  // A folder that holds forge is not elsewhere.
  const elsewhere = mkdtempSync(join(tmpdir(), 'forge-pages-'));
  expect(placeOf('docs/troubleshooting.md#disk-space', elsewhere)).toBe(`${join(root, 'docs', 'troubleshooting.md')}#disk-space`);
  rmdirSync(elsewhere);
  expect(placeOf('docs/troubleshooting.md#disk-space', root)).toBe('docs/troubleshooting.md#disk-space');
});
