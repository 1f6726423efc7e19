import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskModule } from '../modules/contract.js';
import { usageError } from '../errors.js';
import { findCycle } from './graph.js';
import { argumentIssues, argumentKeys } from './problems.js';
import { describeIssues } from '../config/issues.js';
import { parseSource, type Source } from '../config/source.js';
import { didYouMean } from '../config/suggest.js';
import type { Stack, Task } from './task.js';

export type StackSummary = Pick<Stack, 'name' | 'title' | 'description'>;
type Modules = ReadonlyMap<string, TaskModule>;
type Problem = (text: string) => void;

/** The stacks that forge knows: the folders of playbooks/ that hold a stack.yaml. */
export async function listStacks(packageRoot: string): Promise<StackSummary[]> {
  const stacks = [];
  for (const name of await stackNames(packageRoot)) {
    const problems: string[] = [];
    const head = await loadHead(packageRoot, name, (text) => problems.push(text));
    if (!head || problems.length > 0) throw invalid(name, problems);
    stacks.push({ name: head.name, title: head.title, description: head.description });
  }
  return stacks;
}

/** Loads a stack and everything that it lists; all that is wrong with it is said in one error. */
export async function loadStack(packageRoot: string, name: string, modules: Modules): Promise<Stack> {
  const names = await stackNames(packageRoot);
  if (!names.includes(name))
    throw usageError({
      code: 'UNKNOWN_STACK',
      message: `There is no stack ${JSON.stringify(name)}${didYouMean(name, names)}`,
      hint: `Choose one of: ${names.join(', ')}`,
    });
  const problems: string[] = [];
  const problem: Problem = (text) => void problems.push(text);
  const head = await loadHead(packageRoot, name, problem);
  const drafts: Draft[] = [];
  for (const playbook of head?.playbooks ?? [])
    drafts.push(...(await loadPlaybook(packageRoot, `playbooks/${name}/${playbook}.yaml`, modules, problem)));
  checkIds(drafts, problem);
  if (!head || problems.length > 0) throw invalid(name, problems, [...modules.keys()].sort());
  const tasks = drafts.flatMap(({ task }) => task ?? []);
  return { name: head.name, title: head.title, description: head.description, tasks };
}

/** A task as it was found; without `task` when something is wrong with it, so that what needs it is not blamed too. */
interface Draft {
  id: string;
  at: string;
  task?: Task;
}

async function stackNames(packageRoot: string): Promise<string[]> {
  const found = [];
  for (const entry of await readdir(join(packageRoot, 'playbooks'), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    if ((await readdir(join(packageRoot, 'playbooks', entry.name))).includes('stack.yaml')) found.push(entry.name);
  }
  return found.sort();
}

async function loadHead(packageRoot: string, folder: string, problem: Problem) {
  const { KEYS, stackSchema } = await import('./schema.js');
  const source = await readSource(packageRoot, `playbooks/${folder}/stack.yaml`, problem);
  if (!source) return undefined;
  const checked = stackSchema.safeParse(source.value);
  if (!checked.success) describeIssues(checked.error.issues, source, [], () => KEYS.stack).forEach(problem);
  else if (checked.data.name !== folder) problem(`${source.at(['name'])}: name: has to be that of its folder, ${folder}`);
  return checked.data;
}

async function loadPlaybook(packageRoot: string, file: string, modules: Modules, problem: Problem): Promise<Draft[]> {
  const { KEYS, playbookSchema } = await import('./schema.js');
  const source = await readSource(packageRoot, file, problem);
  if (!source) return [];
  const checked = playbookSchema.safeParse(source.value);
  if (!checked.success) {
    describeIssues(checked.error.issues, source, [], () => KEYS.play).forEach(problem);
    return [];
  }
  const drafts = [];
  for (const [index, { play, tasks }] of checked.data.entries())
    for (const [number, value] of tasks.entries())
      drafts.push(await readTask({ source, play, value, path: [index, 'tasks', number] }, modules, problem));
  return drafts;
}

interface Found {
  source: Source;
  play: string;
  value: unknown;
  path: readonly PropertyKey[];
}

async function readTask({ source, play, value, path }: Found, modules: Modules, problem: Problem): Promise<Draft> {
  const { KEYS, taskSchema } = await import('./schema.js');
  const at = (inner: readonly PropertyKey[] = []): string => source.at([...path, ...inner]);
  const draft = { id: String((value as { id?: unknown } | null)?.id), at: at(['id']) };
  const checked = taskSchema.safeParse(value);
  if (!checked.success) {
    const keysOf = (inner: readonly PropertyKey[]): string[] => (inner[0] === 'when' ? KEYS.when : KEYS.task);
    describeIssues(checked.error.issues, source, path, keysOf).forEach(problem);
    return draft;
  }
  const { timeout, when, ...fields } = checked.data;
  const module = modules.get(fields.module);
  if (!module) {
    problem(`${at(['module'])}: module: there is no ${fields.module}${didYouMean(fields.module, modules.keys())}`);
    return draft;
  }
  const issues = argumentIssues(module, fields.with);
  describeIssues(issues, source, [...path, 'with'], (inner) => (inner.length === 0 ? argumentKeys(module) : [])).forEach(problem);
  return { ...draft, task: { ...fields, play, when, timeoutSeconds: timeout, at } };
}

function checkIds(drafts: Draft[], problem: Problem): void {
  const first = new Map<string, string>();
  for (const { id, at } of drafts) {
    const before = first.get(id);
    if (before !== undefined) problem(`${at}: id: ${id} is already the id of the task at ${before}`);
    else first.set(id, at);
  }
  const tasks = drafts.flatMap(({ task }) => task ?? []);
  for (const task of tasks)
    for (const [index, need] of task.needs.entries())
      if (!first.has(need)) problem(`${task.at(['needs', index])}: needs: there is no task ${need}${didYouMean(need, first.keys())}`);
  const cycle = findCycle(tasks);
  if (cycle) {
    const start = tasks.find((task) => task.id === cycle[0]);
    problem(`${start?.at(['needs']) ?? ''}: needs: tasks need each other in a circle: ${cycle.join(' needs ')}`);
  }
}

async function readSource(packageRoot: string, file: string, problem: Problem): Promise<Source | undefined> {
  let text;
  try {
    text = await readFile(join(packageRoot, file), 'utf8');
  } catch (error) {
    problem(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
    return undefined;
  }
  return parseSource(file, text, problem, packageRoot);
}

function invalid(name: string, problems: string[], known: string[] = []): Error {
  const modules = problems.some((text) => text.includes(': module: ')) ? `; the modules are ${known.join(', ')}` : '';
  return usageError({
    code: 'PLAYBOOK_INVALID',
    message: [`The playbooks of the stack ${name} have ${problems.length} mistake${problems.length === 1 ? '' : 's'}:`, ...problems].join(
      '\n  ',
    ),
    hint: `Correct the lines named above; CONTRIBUTING.md says what a playbook holds${modules}`,
  });
}
