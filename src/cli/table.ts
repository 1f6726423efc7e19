/**
 * Rows under headings, without lines, so that they can be cut and pasted. Too wide for the terminal, each row becomes a
 * block of `heading: value` lines: nothing is wrapped in the middle of an address, nothing is lost.
 */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], columns?: number): string {
  const all = [headings.map((heading) => heading.toUpperCase()), ...rows];
  const widths = headings.map((_, index) => Math.max(...all.map((row) => row[index]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  // On a pipe there is no edge to reach.
  const width = columns ?? (process.stdout.isTTY ? process.stdout.columns : Infinity);
  if (lines.every((line) => line.length <= width)) return lines.join('\n');
  return rows.map((row) => row.map((cell, index) => `${headings[index] ?? ''}: ${cell}`).join('\n')).join('\n\n');
}
