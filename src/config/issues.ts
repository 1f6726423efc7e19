import type { z } from 'zod';
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
