import type { z } from 'zod';
import type { TaskModule } from '../modules/contract.js';

type Issue = z.core.$ZodIssue;

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
