import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { messageOf } from '../errors.js';
import { scrub } from './bundle-secrets.js';

/** One file of a bundle, secrets not yet masked. */
export interface BundlePart {
  name: string;
  text: string;
}

/** What can be had of it; what cannot leaves a file that says why, so that nobody takes it for nothing. */
export async function partsOf(name: string, make: () => Promise<BundlePart[]> | BundlePart[]): Promise<BundlePart[]> {
  try {
    return await make();
  } catch (error) {
    return [{ name: `${name}.could-not-be-had.txt`, text: `${messageOf(error)}\n` }];
  }
}

export const jsonPart = (name: string, value: unknown): BundlePart => ({ name, text: `${JSON.stringify(value, null, 2)}\n` });

/** A .tar.gz of these files in one folder; every text is masked here, at the only way out. */
export async function packBundle(folder: string, parts: BundlePart[]): Promise<Uint8Array> {
  const { packTar } = await import('modern-tar');
  const mtime = new Date();
  const entries = parts.map(({ name, text }) => {
    const body = new TextEncoder().encode(scrub(text));
    return { header: { name: `${folder}/${name}`, size: body.length, mode: 0o600, mtime, type: 'file' as const }, body };
  });
  return promisify(gzip)(await packTar(entries));
}
