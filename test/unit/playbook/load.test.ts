import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineModule } from '../../../src/modules/contract.js';
import { listStacks, loadStack } from '../../../src/playbook/load.js';
import { Secret } from '../../../src/workspace/secret.js';

const base = { summary: '', timeoutSeconds: 1, observe: () => Promise.reject(new Error()), apply: () => Promise.reject(new Error()) };
const topic = z.strictObject({
  name: z.string().regex(/^[a-z-]+$/, 'expected a topic name'),
  partitions: z.int().min(1).default(1),
  password: z.instanceof(Secret).optional(),
  settings: z.record(z.string(), z.string()).optional(),
});
const modules = new Map(
  [
    defineModule({ ...base, name: 'kafka.topic', schema: topic }),
    defineModule({ ...base, name: 'directory', schema: z.strictObject({ path: z.string() }) }),
  ].map((module) => [module.name, module]),
);

let root: string;
beforeEach(async () => (root = await mkdtemp(join(tmpdir(), 'forge-load-'))));
afterEach(() => rm(root, { recursive: true, force: true }));

const HEAD = 'name: demo\ntitle: Demo\ndescription: For tests\nplaybooks: [one]\n';

async function stack(files: Record<string, string>, name = 'demo') {
  await mkdir(join(root, 'playbooks', name), { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(root, 'playbooks', name, file), text);
}

/** What is wrong with these tasks, one line each; line 3 of the file is the first line of `tasks`. */
async function problemsOf(tasks: string) {
  await stack({ 'stack.yaml': HEAD, 'one.yaml': `- play: One\n  tasks:\n${tasks}` });
  const error = await loadStack(root, 'demo', modules).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'PLAYBOOK_INVALID', exitCode: 2 });
  return (error as Error).message
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace('playbooks/demo/', ''));
}

describe('a stack without mistakes', () => {
  it('gives its tasks in the order of the playbooks', async () => {
    await stack({
      'stack.yaml': HEAD.replace('[one]', '[one, two]'),
      'one.yaml': [
        '- play: Folders',
        '  tasks:',
        '    - id: data',
        '      module: directory',
        '      when: {catalog: [polaris, iceberg-rest], runtime: process}',
        '      timeout: 1.5m',
        '      with:',
        '        path: "{{ workspace.data }}"',
      ].join('\n'),
      'two.yaml':
        '- play: Topics\n  tasks:\n    - {id: topic, module: kafka.topic, needs: [data], with: {name: x, password: "{{ secrets.a.b }}"}}\n',
    });
    const { tasks, ...head } = await loadStack(root, 'demo', modules);
    expect(head).toEqual({ name: 'demo', title: 'Demo', description: 'For tests' });
    expect(tasks.map(({ at, ...task }) => [at(['with', 'nothing']), task])).toEqual([
      [
        'playbooks/demo/one.yaml:8:9',
        {
          id: 'data',
          module: 'directory',
          play: 'Folders',
          needs: [],
          when: { catalog: ['polaris', 'iceberg-rest'], runtime: ['process'] },
          timeoutSeconds: 90,
          with: { path: '{{ workspace.data }}' },
        },
      ],
      [
        'playbooks/demo/two.yaml:3:61',
        {
          id: 'topic',
          module: 'kafka.topic',
          play: 'Topics',
          needs: ['data'],
          when: {},
          with: { name: 'x', password: '{{ secrets.a.b }}' },
        },
      ],
    ]);
    expect(await listStacks(root)).toEqual([head]);
  });

  it('is suggested for a name that is nearly right', async () => {
    await stack({ 'stack.yaml': HEAD, 'one.yaml': '' });
    await expect(loadStack(root, 'dmo', modules)).rejects.toMatchObject({
      code: 'UNKNOWN_STACK',
      exitCode: 2,
      message: 'There is no stack "dmo" (did you mean demo?)',
      hint: 'Choose one of: demo',
    });
    await expect(loadStack(root, '../demo', modules)).rejects.toMatchObject({ code: 'UNKNOWN_STACK' });
  });
});

describe('mistakes are named by file, line, column and key', () => {
  // The caret marks where the mistake has to be seen.
  it.each([
    ['an unknown key', '{id: a, module: directory, with: {path: x}, ^neds: [b]}', '[0].tasks[0].neds: unknown key (did you mean needs?)'],
    ['a missing key', '^{module: directory, with: {path: x}}', '[0].tasks[0].id: is missing'],
    ['an unknown module', '{id: a, module: ^kafka.topics}', 'module: there is no kafka.topics (did you mean kafka.topic?)'],
    ['an unknown need', '{id: ab, module: directory, needs: [^ac], with: {path: x}}', 'needs: there is no task ac (did you mean ab?)'],
    [
      'a bad key of when',
      '{id: a, module: directory, when: {^catlog: polaris}}',
      '[0].tasks[0].when.catlog: unknown key (did you mean catalog?)',
    ],
    [
      'a bad value of when',
      '{id: a, module: directory, when: {catalog: [^polars]}}',
      '[0].tasks[0].when.catalog[0]: Invalid option: expected one of "polaris"|"iceberg-rest"',
    ],
    ['a bad time-out', '{id: a, module: directory, timeout: ^soon}', '[0].tasks[0].timeout: expected a duration such as 60s or 5m'],
    [
      'a time-out without a unit',
      '{id: a, module: directory, timeout: ^60}',
      '[0].tasks[0].timeout: expected a duration such as "60s" or "5m"',
    ],
    [
      'a time-out of nothing',
      '{id: a, module: directory, timeout: ^0s}',
      '[0].tasks[0].timeout: expected a duration of more than nothing and at most 24h',
    ],
    [
      'an argument',
      '{id: a, module: kafka.topic, with: {name: x, partitions: ^many}}',
      '[0].tasks[0].with.partitions: Invalid input: expected number, received string',
    ],
    [
      'an unknown argument',
      '{id: a, module: kafka.topic, with: {name: x, ^partition: 1}}',
      '[0].tasks[0].with.partition: unknown key (did you mean partitions?)',
    ],
    ['a missing argument', '{id: a, module: kafka.topic, with: ^{partitions: 1}}', '[0].tasks[0].with.name: is missing'],
    ['no arguments at all', '^{id: a, module: kafka.topic}', '[0].tasks[0].with.name: is missing'],
    ['a key twice', '{id: a, module: directory, ^id: b, with: {path: x}}', 'Map keys must be unique'],
    [
      'a template without quotes',
      '{id: a, module: directory, with: {path: {^{ workspace.data }}}}',
      'a template has to stand in quotes: "{{ … }}"',
    ],
  ])('%s', async (_what, marked, expected) => {
    const line = `    - ${marked}`;
    const problems = await problemsOf(`${line.replace('^', '')}\n`);
    expect(problems).toEqual([`one.yaml:3:${line.indexOf('^') + 1}: ${expected}`]);
  });

  it('the modules that there are, once', async () => {
    await stack({ 'stack.yaml': HEAD, 'one.yaml': '- play: One\n  tasks: [{id: a, module: x}, {id: b, module: y}]\n' });
    await expect(loadStack(root, 'demo', modules)).rejects.toMatchObject({
      hint: expect.stringContaining('the modules are directory, kafka.topic') as string,
    });
  });

  it('bad YAML', async () => {
    expect((await problemsOf('    - {id: a, module: directory\n'))[0]).toMatch(/^one.yaml:4:1: Flow map .*must .* end with a }/);
  });

  it('a duplicate id, with the first of them', async () => {
    const tasks = '    - {id: a, module: directory, with: {path: x}}\n'.repeat(2);
    expect(await problemsOf(tasks)).toEqual(['one.yaml:4:12: id: a is already the id of the task at playbooks/demo/one.yaml:3:12']);
  });

  it('a cycle, named in order', async () => {
    const one = (id: string, need: string) => `    - {id: ${id}, module: directory, needs: [${need}], with: {path: x}}\n`;
    expect(await problemsOf(one('a', 'b') + one('b', 'c') + one('c', 'a'))).toEqual([
      'one.yaml:3:41: needs: tasks need each other in a circle: a needs b needs c needs a',
    ]);
  });

  it('all of them at once, without blame for what needs a wrong task', async () => {
    const tasks = [
      '    - {id: a, module: nope}',
      '    - {id: b, module: directory, needs: [a], with: {path: 5}}',
      '    - {id: c, module: directory, colour: red, with: {path: x}}',
    ].join('\n');
    const problems = await problemsOf(tasks);
    expect(problems.map((line) => line.split(': ')[0])).toEqual(['one.yaml:3:23', 'one.yaml:4:59', 'one.yaml:5:34']);
  });

  it('a stack.yaml that is wrong, and a playbook that is not there', async () => {
    await stack({ 'stack.yaml': 'name: other\ntitle: Demo\ndescription: x\nplaybooks: [gone]\n' });
    await expect(loadStack(root, 'demo', modules)).rejects.toThrow(
      /demo\/stack.yaml:1:7: name: has to be that of its folder, demo\n.*demo\/gone.yaml: cannot be read \(ENOENT\)/,
    );
    await stack({ 'stack.yaml': `${HEAD}titel: x\n` });
    await expect(listStacks(root)).rejects.toThrow('demo/stack.yaml:5:1: titel: unknown key (did you mean title?)');
  });
});

it('leaves arguments with templates to the time when they are rendered, but not their neighbours', async () => {
  await stack({
    'stack.yaml': HEAD,
    'one.yaml':
      '- play: One\n  tasks:\n    - {id: a, module: kafka.topic, with: {name: "{{ A }}", partitions: "{{ b }}", settings: {x: "{{ c }}"}}}\n',
  });
  await expect(loadStack(root, 'demo', modules)).resolves.toMatchObject({ tasks: [{ id: 'a' }] });
  expect(await problemsOf('    - {id: a, module: kafka.topic, with: {name: "{{ A }}", partitions: 0}}')).toHaveLength(1);
});
