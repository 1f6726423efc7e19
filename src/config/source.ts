import { isMap, isNode, isPair, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml';

/** A YAML file of which every value still knows where it is written. */
export interface Source {
  value: unknown;
  /** `file:line:column` of a value, or of the nearest one around it that exists. */
  at: (path: readonly PropertyKey[]) => string;
  /** `file:line:column` of a key itself, for keys that should not be there. */
  atKey: (path: readonly PropertyKey[], key: string) => string;
}

/** Parses a file; what is wrong with its YAML goes to `problem` and gives undefined. */
export async function parseSource(file: string, text: string, problem: (text: string) => void): Promise<Source | undefined> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const where = (offset: number): string => place(file, lines, offset);
  for (const error of document.errors) problem(`${where(error.pos[0])}: ${error.message}`);
  if (document.errors.length > 0) return undefined;
  const unquoted: string[] = [];
  yaml.visit(document, {
    // `{{ x }}` without quotes is a map whose key is a map.
    Pair: (_key, { key }) => {
      if (isMap(key)) unquoted.push(where(key.range?.[0] ?? 0));
    },
  });
  for (const at of unquoted) problem(`${at}: a template has to stand in quotes: "{{ … }}"`);
  if (unquoted.length > 0) return undefined;
  return {
    value: document.toJS(),
    at: (path) => where(startOf(document, path)),
    atKey: (path, key) => where(startOfKey(document, path, key)),
  };
}

function place(file: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${file}:${line}:${col}`;
}

/** The node at a path; it stops at the last one that exists. */
function nodeAt(document: Document, path: readonly PropertyKey[]): Node | undefined {
  let node: unknown = document.contents;
  for (const key of path) {
    const next: unknown = isMap(node) || isSeq(node) ? node.get(key, true) : undefined;
    if (!isNode(next)) break;
    node = next;
  }
  return isNode(node) ? node : undefined;
}

function startOf(document: Document, path: readonly PropertyKey[]): number {
  return nodeAt(document, path)?.range?.[0] ?? 0;
}

function startOfKey(document: Document, path: readonly PropertyKey[], key: string): number {
  const parent = nodeAt(document, path);
  const pair = isMap(parent) ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key) : undefined;
  return pair && isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : (parent?.range?.[0] ?? 0);
}
