/** The words before `--`, where forge's own flags are. */
export function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}

/** Known before any flag is parsed, because a mistake in the flags is also answered in JSON. */
export const wantsJson = (argv: readonly string[]): boolean => ownWords(argv).includes('--json');
