/** The words before `--`, where forge's own flags are. */
export function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}

/** What stdout carries: text, one JSON document (`--json`), or a document per line (`--output ndjson`). */
export type OutputFormat = 'text' | 'json' | 'ndjson';

/** Known before any flag is parsed, because a mistake in the flags is also answered in the format that was asked for. */
export function formatOf(argv: readonly string[]): OutputFormat {
  const words = ownWords(argv);
  if (words.includes('--json')) return 'json';
  return words.some((word, index) => word === '--output=ndjson' || (word === '--output' && words[index + 1] === 'ndjson'))
    ? 'ndjson'
    : 'text';
}
