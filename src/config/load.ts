import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { lackingError, messageOf, usageError } from '../errors.js';
import { describeIssues } from './issues.js';
import { configKeys, type ConfigKey } from './keys.js';
import { configSchema, type Config, type PortName } from './schema.js';
import { parseSource, type Source } from './source.js';
import { didYouMean, nearest } from './suggest.js';

export interface ConfigRequest {
  file: string;
  /** By path with dots (`stack`, `topic.name`); from flags. */
  flags: Record<string, string>;
  env: Record<string, string | undefined>;
}

export interface LoadedConfig {
  config: Config;
  /** What was set by a flag, a variable or the file, by path with dots, and where; all else is a default. */
  set: Map<string, string>;
  /** Ports that were set: they are orders. */
  orderedPorts: Partial<Record<PortName, number>>;
}

/** Variables with this prefix that are no settings. */
const OTHER_VARIABLES = /^FORGE_(WORKSPACE|CACHE_DIR|DEBUG|TEST_.*|PROCESS_.*)$/;
const ALIASES: Record<string, string> = { FORGE_POLARIS_HOME: 'components.polaris.home' };

/**
 * Reads the settings: flag, then FORGE_ variable, then forge.yaml, then default. All that is wrong is said at once.
 * @throws ForgeError CONFIG_INVALID (exit 2) naming file, line, column and key, or the variable, or the flag
 */
export async function loadConfig({ file, flags, env }: ConfigRequest): Promise<LoadedConfig> {
  const problems: string[] = [];
  const source = await readSource(file, problems);
  const input = isRecord(source?.value) ? withoutEmpty(source.value) : {};
  if (source !== undefined && source.value !== null && source.value !== undefined && !isRecord(source.value))
    problems.push(`${source.at([])}: expected keys and values`);
  const set = new Map<string, string>();
  // The list of all settings takes longer to make than all else here: most commands have none to look up.
  if (source !== undefined) for (const key of configKeys()) if (valueAt(input, key.path) !== undefined) set.set(key.path.join('.'), file);
  const over = (pathText: string, text: string, from: string): void => {
    const key = configKeys().find((it) => it.path.join('.') === pathText);
    if (key === undefined) return void problems.push(`${from}: there is no setting ${pathText}`);
    setAt(input, key.path, typed(key, text));
    set.set(pathText, from);
  };
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('FORGE_') || text === undefined || text === '') continue;
    const alias = ALIASES[name];
    const key = configKeys().find((it) => it.variable === name);
    if (alias !== undefined) over(alias, text, name);
    else if (key !== undefined) over(key.path.join('.'), text, name);
    else problems.push(...unknownVariable(name));
  }
  for (const [pathText, text] of Object.entries(flags)) over(pathText, text, `--${pathText}`);
  const checked = configSchema.safeParse(input);
  if (!checked.success) problems.push(...explain(checked.error.issues, set, source, file));
  if (problems.length > 0 || !checked.success) throw invalid(problems);
  return { config: checked.data, set, orderedPorts: { ...checked.data.ports } };
}

/** Other programs have variables of this prefix too: only what begins like a setting, or is nearly one, is a mistake. */
function unknownVariable(name: string): string[] {
  if (OTHER_VARIABLES.test(name)) return [];
  const keys = configKeys();
  const known = [...keys.map(({ variable }) => variable), ...Object.keys(ALIASES)];
  const starts = keys.map(({ variable }) => variable.split('_').slice(0, 2).join('_'));
  const short = (variable: string): string => variable.slice('FORGE_'.length);
  const isNear = nearest(short(name), known.map(short)) !== undefined;
  return isNear || starts.some((start) => name.startsWith(`${start}_`))
    ? [`${name}: there is no such setting${didYouMean(name, known)}`]
    : [];
}

async function readSource(file: string, problems: string[]): Promise<Source | undefined> {
  try {
    return await parseSource(path.basename(file), await readFile(file, 'utf8'), (text) => problems.push(text));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw lackingError({
      code: 'CONFIG_UNREADABLE',
      message: `${file} cannot be read: ${messageOf(error)}`,
      hint: 'Make it readable',
      cause: error,
    });
  }
}

type Issues = Parameters<typeof describeIssues>[0];

/** Issues of values that came from a variable or a flag name that; all others name the place in the file. */
function explain(issues: Issues, set: Map<string, string>, source: Source | undefined, file: string): string[] {
  const known = (at: readonly PropertyKey[]): string[] => [
    ...new Set(
      configKeys()
        .filter(({ path: it }) => at.every((part, index) => it[index] === part))
        .map(({ path: it }) => it[at.length] ?? ''),
    ),
  ];
  return issues.flatMap((issue) => {
    const from = set.get(issue.path.join('.'));
    if (from !== undefined && from !== file) return [`${from}: ${issue.message}`];
    return source === undefined ? [`${issue.path.join('.')}: ${issue.message}`] : describeIssues([issue], source, [], known);
  });
}

const invalid = (problems: string[]) =>
  usageError({
    code: 'CONFIG_INVALID',
    message:
      problems.length === 1
        ? `The configuration is not valid: ${problems[0]}`
        : `The configuration is not valid:\n${problems.map((text) => `  ${text}`).join('\n')}`,
    hint: 'Nothing was changed. `forge init` writes a forge.yaml with every key, its default and what it means',
  });

function typed(key: ConfigKey, text: string): unknown {
  if (key.type === 'integer' || key.type === 'number') return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
  if (key.type === 'boolean') return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
  return text;
}

/** A key with nothing after it is one that is not set: all that stood under it is commented out. */
const withoutEmpty = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, isRecord(inner) ? withoutEmpty(inner) : inner]),
  );

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const valueAt = (value: unknown, keys: readonly string[]): unknown =>
  keys.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value);

function setAt(target: Record<string, unknown>, keys: readonly string[], value: unknown): void {
  const [first, ...rest] = keys;
  if (first === undefined) return;
  if (rest.length === 0) target[first] = value;
  else {
    const inner = isRecord(target[first]) ? target[first] : {};
    target[first] = inner;
    setAt(inner, rest, value);
  }
}
