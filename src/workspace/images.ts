import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/schema.js';

/** Lines of images.yaml: `name: reference` or `name: [reference, …]`. It is forge's own file, read at every start, so without a YAML parser. */
const LINE = /^([a-z0-9-]+): (?:\[(.+)\]|(\S+))$/;

/**
 * What may stand for every image, the one to be preferred first and one that can always be pulled last: what the configuration
 * names, else the pinned ones behind the mirror's prefix.
 */
export function imageChoices(packageRoot: string, { images }: Pick<Config, 'images'>): Record<string, string[]> {
  const { mirror, ...named } = images;
  const prefix = mirror === undefined ? '' : `${mirror.replace(/\/$/, '')}/`;
  const pinned = readFileSync(path.join(packageRoot, 'images.yaml'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name, several, one = several] = LINE.exec(line) ?? [];
      return name === undefined || one === undefined ? [] : [[name, one.split(',').map((reference) => prefix + reference.trim())] as const];
    });
  return Object.fromEntries(
    pinned.map(([name, references]) => {
      const own = named[name as keyof typeof named];
      return [name, own === undefined ? references : [own]];
    }),
  );
}

/** Every image by name, where nothing is known of what this machine or the cluster has: the last of its choices. */
export const imagesOf = (packageRoot: string, config: Pick<Config, 'images'>): Record<string, string> =>
  Object.fromEntries(Object.entries(imageChoices(packageRoot, config)).map(([name, choices]) => [name, choices.at(-1)!]));
