import { readFileSync } from 'node:fs';
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
  checks.forEach(({ id, needs = [] }, at) => {
    for (const needed of needs) expect(ids.slice(0, at), `${id} needs ${needed}`).toContain(needed);
  });
});
