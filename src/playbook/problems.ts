import type { z } from 'zod';
import type { TaskModule } from '../modules/contract.js';
import type { Source } from './source.js';
import { didYouMean } from './suggest.js';

type Issue = z.core.$ZodIssue;

/** What zod found in a part of a file, as `file:line:column: key: what is wrong`, one line each. */
export function describeIssues(
  issues: readonly Issue[],
  source: Source,
  base: readonly PropertyKey[],
  keysOf: (path: readonly PropertyKey[]) => string[],
): string[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code !== 'unrecognized_keys') return [`${source.at(path)}: ${keyText(path)}: ${textOf(issue)}`];
    return issue.keys.map((key) => {
      const hint = didYouMean(key, keysOf(issue.path));
      return `${source.atKey(path, key)}: ${keyText([...path, key])}: unknown key${hint}`;
    });
  });
}

/**
 * What is wrong with a task's arguments as they are written. What depends on a template is left alone: it is checked
 * when the template has been rendered.
 */
export function argumentIssues(module: TaskModule, args: unknown): Issue[] {
  let checked;
  try {
    checked = module.schema.safeParse(args);
  } catch (error) {
    // A transformation of the schema may trip over a template; without one it is a defect.
    if (holdsTemplate(args)) return [];
    throw error;
  }
  const issues = checked.error?.issues ?? [];
  return issues.filter((issue) => issue.code === 'unrecognized_keys' || !holdsTemplate(valueAt(args, issue.path)));
}

/** The arguments that a module takes, where its schema is an object. */
export function argumentKeys(module: TaskModule): string[] {
  const shape = (module.schema as { shape?: unknown }).shape;
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
}

function holdsTemplate(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('{{');
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsTemplate);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
}

function keyText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file';
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}

function textOf(issue: Issue): string {
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined') ? 'is missing' : issue.message;
}
