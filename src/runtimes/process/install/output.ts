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
export function errorLines(output: string, most = 6): string {
  const lines = output.split('\n').map((line) => line.replace(/ -> \[Help \d\]$/, '').trimEnd());
  const useful = lines.filter((line) => line.trim() !== '' && !ADVICE.test(line));
  const marked = useful.filter((line) => MARKED.test(line));
  const chosen = [...new Set(marked.length > 0 ? marked : useful)];
  // npm begins with what matters and ends with details; the others build up to it.
  const few = chosen[0]?.startsWith('npm') === true ? chosen.slice(0, most) : chosen.slice(-most);
  return few.map((line) => (line.length > 700 ? `${line.slice(0, 250)} … ${line.slice(-400)}` : line)).join('\n');
}

const MARKED = /^\s*(\[?(ERROR|FATAL)\]?|npm error|npm ERR!|×|WARNING: Retrying)[\s:]/i;
const ADVICE =
  /^\[ERROR\]\s*(\[Help \d\].*)?$|Re-run Maven|To see the full stack trace|For more information about the errors|A complete log of this run/;

/** Whether the output says that the disk is full. */
export const saysDiskFull = (output: string): boolean => /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/i.test(output);
