/** Reads what Maven and pip write: how much was downloaded, and what went wrong. */

const UNITS: Record<string, number> = { b: 1, bytes: 1, kb: 1e3, mb: 1e6, gb: 1e9 };

/** Bytes of `7.4 MB`, as both tools write sizes. */
function bytes(size: string, unit: string): number {
  return Math.round(Number(size) * (UNITS[unit.toLowerCase()] ?? 1));
}

/** Bytes that a line of Maven reports as downloaded, else 0. */
export function mavenBytes(line: string): number {
  const [, size, unit] = /Downloaded from \S+ \S+ \(([\d.]+) ([kMG]?B)\b/.exec(line) ?? [];
  return size === undefined || unit === undefined ? 0 : bytes(size, unit);
}

/** Bytes of the file that pip begins to download or takes from its cache, else 0. */
export function pipBytes(line: string): number {
  const [, size, unit] = /^\s*(?:Downloading|Using cached) \S+ \(([\d.]+) (bytes|[kMG]?B)\)/.exec(line) ?? [];
  return size === undefined || unit === undefined ? 0 : bytes(size, unit);
}

/** The lines that tell what went wrong, without progress, advice and the headings of a build. */
export function errorLines(output: string, most = 8): string {
  const lines = output.split('\n').map((line) => line.trimEnd());
  const marked = lines.filter((line) => /^\s*(\[?(ERROR|FATAL)\]?|error|npm error|npm ERR!|×|fatal)[\s:]/i.test(line));
  const useful = (marked.length > 0 ? marked : lines).filter((line) => line.trim() !== '' && !IDLE.test(line));
  return [...new Set(useful)]
    .slice(-most)
    .map((line) => (line.length > 600 ? `${line.slice(0, 599)}…` : line))
    .join('\n');
}

const IDLE =
  /^\[ERROR\]\s*$|\[Help \d\]|Re-run Maven|To see the full stack trace|For more information about the errors|A complete log of this run/;

/** Whether the output says that the disk is full. */
export const saysDiskFull = (output: string): boolean => /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/i.test(output);
