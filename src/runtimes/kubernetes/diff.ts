import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../clients/kubernetes-types.js';
import { redact } from '../../workspace/secret.js';

/** One field in which an object differs from what its manifest wants. */
export interface FieldDifference {
  field: string;
  is: string;
  should: string;
}

type Tree = Record<string, unknown>;
const isMap = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What an apply would change: the fields that forge owns (or owned, and lets go of) in the live object against those in the
 * object as the server says it would become. Defaults, status and other managers' fields are in neither part.
 */
export function fieldDifferences(live: KubeObject, wanted: KubeObject): FieldDifference[] {
  const found: FieldDifference[] = [];
  const isSecret = (path: string): boolean => live.kind === 'Secret' && /^(data|stringData)(\.|$)/.test(path);
  const emit = (path: string, is: unknown, should: unknown): void => {
    if (isSecret(path)) found.push({ field: path, is: is === undefined ? ABSENT : MASK, should: should === undefined ? ABSENT : MASK });
    else found.push({ field: path, ...shownBoth(is, should) });
  };
  walk(merged(ownedFields(live), ownedFields(wanted)), live, wanted, '', emit);
  return found.sort((a, b) => (a.field < b.field ? -1 : 1));
}

const ABSENT = 'absent';
const MASK = '***';

/** The tree of the fields that forge's applies hold. */
function ownedFields({ metadata: { managedFields = [] } }: KubeObject): Tree {
  const own = managedFields.find(
    ({ manager, operation, subresource }) => manager === 'forge' && operation === 'Apply' && subresource === undefined,
  );
  return own?.fieldsV1 ?? {};
}

function merged(a: Tree, b: Tree): Tree {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const both = (key: string): Tree => merged(isMap(a[key]) ? a[key] : {}, isMap(b[key]) ? b[key] : {});
  return Object.fromEntries([...keys].map((key) => [key, both(key)]));
}

type Emit = (path: string, is: unknown, should: unknown) => void;

/** Keys of the tree: `f:` a field, `k:` an item of a list by some of its fields, `v:` a value of a set, `i:` a place in a list. */
function walk(tree: Tree, is: unknown, should: unknown, path: string, emit: Emit): void {
  for (const [key, below] of Object.entries(tree)) {
    if (key === '.') continue;
    const step = stepOf(key);
    const [before, after] = [step.in(is), step.in(should)];
    const at = step.isItem ? `${path}[${step.label}]` : path === '' ? step.label : `${path}.${step.label}`;
    const isLeaf = !isMap(below) || Object.keys(below).every((name) => name === '.');
    if (!isLeaf && before !== undefined && after !== undefined) walk(below, before, after, at, emit);
    else leaf(before, after, at, emit);
  }
}

interface Step {
  label: string;
  isItem: boolean;
  in(value: unknown): unknown;
}

function stepOf(key: string): Step {
  const [kind, rest] = [key.slice(0, 2), key.slice(2)];
  if (kind === 'f:') return { label: rest, isItem: false, in: (value) => (isMap(value) ? value[rest] : undefined) };
  const item =
    (find: (one: unknown, index: number) => boolean) =>
    (value: unknown): unknown =>
      Array.isArray(value) ? (value as unknown[]).find(find) : undefined;
  if (kind === 'i:') return { label: rest, isItem: true, in: item((_, index) => index === Number(rest)) };
  const wanted: unknown = JSON.parse(rest);
  if (!isMap(wanted)) return { label: String(wanted), isItem: true, in: item((one) => isDeepStrictEqual(one, wanted)) };
  const label = typeof wanted['name'] === 'string' ? wanted['name'] : Object.values(wanted).map(String).join('/');
  const matches = (one: unknown): boolean =>
    isMap(one) && Object.entries(wanted).every(([name, value]) => isDeepStrictEqual(one[name], value));
  return { label, isItem: true, in: item(matches) };
}

/** What is compared as a whole is still told as finely as it can be. */
function leaf(is: unknown, should: unknown, path: string, emit: Emit): void {
  if (isDeepStrictEqual(is, should)) return;
  if (isMap(is) && isMap(should)) {
    for (const key of new Set([...Object.keys(is), ...Object.keys(should)])) leaf(is[key], should[key], `${path}.${key}`, emit);
  } else if (Array.isArray(is) && Array.isArray(should) && is.length === should.length && is.every(isMap)) {
    is.forEach((one, index) => leaf(one, should[index], `${path}[${nameIn(one) ?? index}]`, emit));
  } else emit(path, is, should);
}

function nameIn(item: unknown): string | undefined {
  if (!isMap(item)) return undefined;
  const name = item['name'] ?? (isMap(item['metadata']) ? item['metadata']['name'] : undefined);
  return typeof name === 'string' ? name : undefined;
}

/** Where the new value holds a secret, the old one is not shown at all: an old password is known to nobody, and so to no mask. */
function shownBoth(is: unknown, should: unknown): { is: string; should: string } {
  const [before, after] = [textOf(is), textOf(should)];
  const isMasked = redact(after) !== after;
  return { is: isMasked && is !== undefined ? MASK : cut(redact(before)), should: cut(redact(after)) };
}

const textOf = (value: unknown): string =>
  value === undefined ? ABSENT : typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
const cut = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
