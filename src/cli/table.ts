import Table from 'cli-table3';

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/**
 * Rows under headings, without lines, so that they can be cut and pasted. Too wide for the terminal, each row becomes a block
 * of `heading: value` lines: nothing is wrapped in the middle of an address, nothing is lost.
 */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], columns?: number): string {
  const drawn = new Table({
    head: headings.map((heading) => heading.toUpperCase()),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  drawn.push(...rows.map((row) => [...row]));
  const lines = drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
  // On a pipe there is no edge to reach.
  const width = columns ?? (process.stdout.isTTY ? process.stdout.columns : Infinity);
  if (lines.every((line) => line.length <= width)) return lines.join('\n');
  return rows.map((row) => row.map((cell, index) => `${headings[index] ?? ''}: ${cell}`).join('\n')).join('\n\n');
}
