import type { LineCounter, Node } from 'yaml';
import { preparedSource } from './prepared.js';

/** A YAML file of which every value still knows where it is written. */
export interface Source {
  value: unknown;
  /** `file:line:column` of a value, or of the nearest one around it that exists. */
  at: (path: readonly PropertyKey[]) => string;
  /** `file:line:column` of a key itself, for keys that should not be there. */
  atKey: (path: readonly PropertyKey[], key: string) => string;
}

/** What a file holds: plain JSON, so that the build can keep it of forge's own files. */
export interface Parsed {
  value: unknown;
  /** `line:column` by `placeOf` of a value's path, and of a key's path after `key `. */
  places: Record<string, string>;
}

/**
 * Reads a file's text; what is wrong with its YAML goes to `problem` and gives undefined.
 * @param packageRoot forge's own folder when the file may be one of its own, which the build has parsed already
 */
export async function parseSource(
  file: string,
  text: string,
  problem: (text: string) => void,
  packageRoot?: string,
): Promise<Source | undefined> {
  const prepared = packageRoot === undefined ? undefined : await preparedSource(packageRoot, text);
  const parsed = prepared ?? (await parseYaml(text, (place, message) => problem(`${file}:${place}: ${message}`)));
  if (parsed === undefined) return undefined;
  const { value, places } = parsed;
  const at = (path: readonly PropertyKey[]): string => {
    for (let length = path.length; length > 0; length--) {
      const place = places[placeOf(path.slice(0, length))];
      if (place !== undefined) return `${file}:${place}`;
    }
    return `${file}:${places[placeOf([])] ?? '1:1'}`;
  };
  return {
    value,
    at,
    atKey: (path, key) => {
      const place = places[`key ${placeOf([...path, key])}`];
      return place === undefined ? at(path) : `${file}:${place}`;
    },
  };
}

/** Parses YAML; `problem` is told every mistake with its `line:column`, and undefined is given then. */
export async function parseYaml(text: string, problem: (place: string, message: string) => void): Promise<Parsed | undefined> {
  // Not loaded where the build has parsed everything.
  const { isAlias, isMap, isScalar, isSeq, LineCounter: Lines, parseDocument } = await import('yaml');
  const lines = new Lines();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  for (const error of document.errors) problem(lineAndColumn(lines, error.pos[0]), error.message);
  if (document.errors.length > 0) return undefined;
  const unquoted: string[] = [];
  const places: Record<string, string> = {};
  const visit = (node: unknown, path: readonly PropertyKey[]): void => {
    if (!isMap(node) && !isSeq(node) && !isScalar(node) && !isAlias(node)) return;
    places[placeOf(path)] = startOf(lines, node);
    if (isSeq(node)) for (const [index, item] of node.items.entries()) visit(item, [...path, index]);
    if (isMap(node))
      for (const { key, value } of node.items) {
        // `{{ x }}` without quotes is a map whose key is a map.
        if (isMap(key)) unquoted.push(startOf(lines, key));
        if (!isScalar(key)) continue;
        const inner = [...path, key.value as PropertyKey];
        places[`key ${placeOf(inner)}`] = startOf(lines, key);
        visit(value, inner);
      }
  };
  visit(document.contents, []);
  for (const place of unquoted) problem(place, 'a template has to stand in quotes: "{{ … }}"');
  return unquoted.length > 0 ? undefined : { value: document.toJS(), places };
}

const placeOf = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String));

const startOf = (lines: LineCounter, node: Node): string => lineAndColumn(lines, node.range?.[0] ?? 0);

function lineAndColumn(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${line}:${col}`;
}
