import { readFileSync } from 'node:fs';
import path from 'node:path';
import { lackingError, messageOf, usageError, type ForgeError } from '../errors.js';
import type { KubeTarget } from './kubernetes-types.js';

/** An entry of a kubeconfig, and the file that it stands in. */
export interface ConfigEntry {
  name: string;
  value: Record<string, unknown>;
  file: string;
}
type Section = 'clusters' | 'users' | 'contexts';

/** A kubeconfig file as it was read. */
export interface ConfigText {
  file: string;
  text: string;
}

/** @throws ForgeError KUBECONFIG_MISSING */
export const textsOf = (target: KubeTarget): ConfigText[] => filesOf(target).map((file) => ({ file, text: readFileSync(file, 'utf8') }));

/**
 * Finds the target's context in its files, with its cluster and user.
 * @throws ForgeError KUBECONFIG_INVALID, CONTEXT_UNKNOWN
 */
export async function contextOf(target: KubeTarget, texts: readonly ConfigText[]): Promise<{ cluster: ConfigEntry; user: ConfigEntry }> {
  const { parse } = await import('yaml');
  const configs = texts.map(({ file, text }) => sectionsOf(file, text, parse));
  const all = (section: Section): ConfigEntry[] => configs.flatMap((config) => config[section]);
  const find = (section: Section, name: unknown): ConfigEntry | undefined => all(section).find((entry) => entry.name === name);
  const context = find('contexts', target.context);
  if (context === undefined)
    throw unknownContext(
      target,
      all('contexts').map(({ name }) => name),
    );
  const cluster = find('clusters', context.value['cluster']);
  if (cluster === undefined) throw invalidConfig(context.file, `context ${target.context} names a cluster that is not there`);
  const user = find('users', context.value['user']) ?? { name: '', value: {}, file: context.file };
  return { cluster, user };
}

/** KUBECONFIG may name several; those that are not there do not count as long as one is. */
export function filesOf({ kubeconfig }: KubeTarget): string[] {
  const named = kubeconfig.split(path.delimiter).filter((file) => file !== '');
  const found = named.filter((file) => {
    try {
      readFileSync(file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw lackingError({
        code: 'KUBECONFIG_MISSING',
        message: `The kubeconfig ${file} cannot be read: ${messageOf(error)}`,
        hint: 'Correct its owner or mode, or name another one in KUBECONFIG',
        cause: error,
      });
    }
  });
  if (found.length > 0) return found;
  throw lackingError({
    code: 'KUBECONFIG_MISSING',
    message: `There is no kubeconfig ${named.join(', ')}`,
    hint: "For a cluster of forge's own run `forge up`; for another one name its file in KUBECONFIG",
  });
}

function sectionsOf(file: string, text: string, parse: (text: string) => unknown): Record<Section, ConfigEntry[]> {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw invalidConfig(file, messageOf(error).split('\n')[0] ?? '');
  }
  if (!isMap(content)) throw invalidConfig(file, 'it is empty');
  const section = (name: string, key: string): ConfigEntry[] => {
    const entries: unknown[] = Array.isArray(content[name]) ? content[name] : [];
    return entries.flatMap((entry) => {
      if (!isMap(entry) || typeof entry['name'] !== 'string') return [];
      return [{ name: entry['name'], value: isMap(entry[key]) ? entry[key] : {}, file }];
    });
  };
  return { clusters: section('clusters', 'cluster'), users: section('users', 'user'), contexts: section('contexts', 'context') };
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

export const invalidConfig = (file: string, why: string): ForgeError =>
  usageError({
    code: 'KUBECONFIG_INVALID',
    message: `The kubeconfig ${file} is not usable: ${why}`,
    hint: 'Get the kubeconfig of the cluster anew, or name another one in KUBECONFIG',
  });

const unknownContext = ({ kubeconfig, context }: KubeTarget, names: string[]): ForgeError =>
  usageError({
    code: 'CONTEXT_UNKNOWN',
    message: `The kubeconfig ${kubeconfig} has no context ${context}; it has ${names.length === 0 ? 'none' : names.join(', ')}`,
    hint: 'Name one of them (--context NAME, or kubernetes.context in forge.yaml)',
  });
