/**
 * Splits a script as Flink's own SQL client does: at semicolons outside of quotes and comments, with
 * `EXECUTE STATEMENT SET BEGIN … END;` as one statement. Comments stay where they are; empty statements are left out.
 */
export function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let start = 0;
  for (let at = 0; at < script.length; at++) {
    const skipped = skipQuoted(script, at);
    if (skipped !== at) {
      at = skipped - 1;
      continue;
    }
    if (script[at] !== ';') continue;
    const text = script.slice(start, at).trim();
    const bare = withoutComments(text);
    if (/^EXECUTE\s+STATEMENT\s+SET\b/i.test(bare) && !/\bEND$/i.test(bare)) continue;
    if (bare !== '') statements.push(text);
    start = at + 1;
  }
  const rest = script.slice(start).trim();
  if (withoutComments(rest) !== '') statements.push(rest);
  return statements;
}

/** The position behind the quoted text or comment that begins at `at`; `at` itself where none begins. */
function skipQuoted(script: string, at: number): number {
  const end = (mark: string, from: number): number => {
    const found = script.indexOf(mark, from);
    return found < 0 ? script.length : found + mark.length;
  };
  const two = script.slice(at, at + 2);
  if (two === '--') return end('\n', at);
  // Optimiser hints (/*+ … */) are comments to a splitter too.
  if (two === '/*') return end('*/', at + 2);
  if (script[at] === "'" || script[at] === '`' || script[at] === '"') return end(script.charAt(at), at + 1);
  return at;
}

function withoutComments(text: string): string {
  let out = '';
  for (let at = 0; at < text.length;) {
    const next = skipQuoted(text, at);
    const isComment = text.startsWith('--', at) || text.startsWith('/*', at);
    if (next === at) out += text.charAt(at++);
    else {
      if (!isComment) out += text.slice(at, next);
      at = next;
    }
  }
  return out.trim();
}
