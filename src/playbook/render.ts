import { renderValue } from '../workspace/template.js';
import type { Task } from './task.js';

/** A task's arguments with their templates filled in; a template that cannot be is named by its own line. */
export function renderArguments(task: Task, values: Record<string, unknown>): unknown {
  const render = (value: unknown, path: readonly PropertyKey[]): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => render(item, [...path, index]));
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, render(item, [...path, key])]));
    return renderValue(value, values, { file: task.at(path) });
  };
  return render(task.with, ['with']);
}
