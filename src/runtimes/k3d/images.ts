import { localImage, pullImage, type LocalImage } from '../../clients/docker-images.js';
import { inContainer } from '../../clients/docker-objects.js';
import { lackingError } from '../../errors.js';
import { Gathered, type AskOptions } from './gathered.js';
import { nodeName } from './name.js';

export const CTR = ['ctr', '-n', 'k8s.io', 'images'];

const lists = new Gathered<Set<string>>();

/** The names of the images that a cluster's node holds, in full. */
export const nodeImages = (cluster: string, options?: AskOptions): Promise<Set<string>> =>
  lists.ask(
    cluster,
    async (until) => {
      // k3s has `ctr` in every version.
      const text = await inContainer(nodeName(cluster), [...CTR, 'ls', '--quiet'], { signal: until });
      return new Set(text.split('\n').map((line) => line.trim()));
    },
    options,
  );

export interface ImageWork {
  signal: AbortSignal;
  progress: (text: string) => void;
  /** Never to ask a registry. */
  offline: boolean;
}

/** Makes sure that this machine's Docker has the image; tells whether it had to be pulled. */
export async function ensureLocal(
  reference: string,
  { signal, progress, offline }: ImageWork,
): Promise<{ pulled: boolean; image: LocalImage }> {
  const found = await localImage(reference, { signal });
  if (found !== undefined) return { pulled: false, image: found };
  if (offline) throw imageMissing([reference]);
  await pullImage(reference, progress, { signal });
  const pulled = await localImage(reference, { signal });
  if (pulled === undefined) throw imageMissing([reference]);
  return { pulled: true, image: pulled };
}

export const imageMissing = (references: readonly string[]) =>
  lackingError({
    code: 'IMAGES_MISSING',
    message: `${references.length === 1 ? 'An image is' : `${references.length} images are`} not on this machine:\n${references.map((one) => `  - ${one}`).join('\n')}`,
    hint: 'With a network: `forge images pull`. Without: `forge images save FILE` on a machine that has them, then `forge images load FILE` here',
  });
