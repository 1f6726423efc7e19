/** The legs of a proof, a line each. */
export const legLines = (legs: readonly { name: string; ok: boolean; detail: string }[]): string =>
  legs.map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'FAILED'} ${name}: ${detail}`).join('\n');
