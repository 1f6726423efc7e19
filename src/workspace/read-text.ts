import { readFileSync } from 'node:fs';

/** The text of a file; undefined when it is not there or may not be read: a process that has just gone, a table that the kernel lacks. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
