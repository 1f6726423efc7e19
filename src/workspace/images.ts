import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/schema.js';

/** Lines of images.yaml: `name: reference`. It is forge's own file, read at every start, so without a YAML parser. */
const LINE = /^([a-z0-9-]+): (\S+)$/;

/** Every image by name: what the configuration names, else the pinned one behind the mirror's prefix. */
export function imagesOf(packageRoot: string, { images }: Pick<Config, 'images'>): Record<string, string> {
  const { mirror, ...named } = images;
  const pinned = readFileSync(path.join(packageRoot, 'images.yaml'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name, reference] = LINE.exec(line) ?? [];
      return name === undefined || reference === undefined ? [] : [[name, reference] as const];
    });
  const prefix = mirror === undefined ? '' : `${mirror.replace(/\/$/, '')}/`;
  return Object.fromEntries(pinned.map(([name, reference]) => [name, named[name as keyof typeof named] ?? prefix + reference]));
}
