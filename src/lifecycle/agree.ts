import { usageError } from '../errors.js';
import type { SelectionChange } from '../workspace/open.js';

/** What is asked for now, against what is here, a text for each. */
export const describeChanges = (changes: readonly SelectionChange[]): string[] =>
  changes.map(({ key, from, to }) => `${key}: ${from} -> ${to}`);

export interface Agreement {
  note: (text: string) => void;
  consent: (question: string) => Promise<boolean>;
}

/**
 * Asks before the stack that is here becomes another one. The question names the changes: where nobody can answer it, it is
 * all that the error says.
 * @throws ForgeError NOT_CHANGED (exit 2)
 */
export async function agree(changes: readonly SelectionChange[], { note, consent }: Agreement): Promise<void> {
  if (changes.length === 0) return;
  note('This workspace holds another stack than the one that is asked for now:');
  for (const line of describeChanges(changes)) note(`  ${line}`);
  note(
    '  Servers that are no longer part of it are stopped; tables, topics and jobs are made for the new choice. Data stays until `forge down`.',
  );
  if (await consent(`Change this workspace's stack (${describeChanges(changes).join(', ')})?`)) return;
  throw usageError({
    code: 'NOT_CHANGED',
    message: 'Nothing was changed',
    hint: 'Leave the flags out to keep what is here, or use another folder (--workspace DIR)',
  });
}
