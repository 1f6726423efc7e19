import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { loadImages, saveImages } from '../clients/docker-images.js';
import type { Container } from '../clients/docker-objects.js';
import { dockerEngine } from '../clients/docker.js';
import { ForgeError, messageOf, usageError } from '../errors.js';
import { ensureLocal, imageMissing } from '../runtimes/k3d/images.js';
import { isDigest } from '../runtimes/k3d/reference.js';
import { tryPullSystemImages } from '../runtimes/k3d/system-images.js';
import { fileError } from '../workspace/atomic.js';
import type { StackContext } from '../workspace/context.js';
import { imagesNeeded, stateOfImages, type ImageList } from './image-list.js';
import { openSession, type SessionOptions } from './session.js';

export type ImageOptions = SessionOptions & { signal: AbortSignal };

/** Opens the stack whose images are meant: images are for clusters, so processes count as k3d. */
async function imageStack(options: ImageOptions): Promise<StackContext> {
  await dockerEngine({ signal: options.signal });
  const { stack } = await openSession(options);
  if (stack.runtime !== 'process') return stack;
  return (await openSession({ ...options, flags: { ...options.flags, runtime: 'k3d' } })).stack;
}

/** What the stack needs, and what of it is here. */
export async function listImages(options: ImageOptions): Promise<ImageList> {
  return stateOfImages(await imageStack(options), options.signal);
}

/** At once; more would only share the same network. */
const PULLS = 4;

/** Pulls what is not here yet, several at once. All are tried; what failed is told together. */
export async function pullImages(options: ImageOptions & { progress: (text: string) => void }): Promise<ImageList & { pulled: string[] }> {
  const { signal, progress } = options;
  const stack = await imageStack(options);
  const needed = await imagesNeeded(stack, signal);
  const before = await stateOfImages(stack, signal, needed);
  const here = new Set(before.images.filter((one) => one.here).map(({ image }) => image));
  const wanted = needed.filter(({ image }) => !here.has(image));
  const failed: unknown[] = [];
  const pulled: string[] = [];
  const doing = new Map<string, string>();
  const show = (): void =>
    progress(
      `${pulled.length} of ${wanted.length} images${[...doing.values()].map((text) => `; ${text.replace(/^pulling /, '')}`).join('')}`,
    );
  const queue = [...wanted];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { image: reference, optional } = next;
      try {
        await ensureLocal(reference, { signal, offline: false, progress: (text) => (doing.set(reference, text), show()) });
        pulled.push(reference);
      } catch (error) {
        signal.throwIfAborted();
        if (optional === undefined) failed.push(error);
      }
      doing.delete(reference);
      show();
    }
  };
  await Promise.all(Array.from({ length: PULLS }, worker));
  if (failed.length > 0) throw together(failed);
  return { ...(await stateOfImages(stack, signal, needed)), pulled };
}

function together(failed: unknown[]): unknown {
  const [first] = failed;
  if (failed.length === 1 || !(first instanceof ForgeError)) return first;
  const { code, hint, exitCode } = first;
  return new ForgeError({ code, exitCode, message: failed.map(messageOf).join('\n'), ...(hint === undefined ? {} : { hint }) });
}

export interface SavedImages {
  file: string;
  bytes: number;
  images: string[];
}

/** Writes all that the stack needs to one archive, whole or not at all. */
export async function saveStackImages(options: ImageOptions & { file: string }): Promise<SavedImages> {
  const { signal } = options;
  const stack = await imageStack(options);
  const needed = (await stateOfImages(stack, signal)).images;
  const missing = needed.filter(({ here }) => !here).map(({ image }) => image);
  if (missing.length > 0) throw imageMissing(missing);
  refuseDigests(needed.map(({ image }) => image));
  const file = path.resolve(options.file);
  const folder = path.dirname(file);
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw usageError({ code: 'FOLDER_MISSING', message: `There is no folder ${folder}`, hint: 'Make it, or name a file in another one' });
  // A cluster of this machine has pulled these itself, so that Docker may have none: the other machine cannot.
  if (stack.runtime === 'k3d') await tryPullSystemImages(stack, { signal, progress: () => undefined });
  const references = (await stateOfImages(stack, signal)).images.map(({ image }) => image);
  const temporary = path.join(folder, `.${path.basename(file)}.${process.pid}.tmp`);
  try {
    // Docker would say what is wrong with the folder less plainly.
    await (await open(temporary, 'w', 0o600)).close();
    await saveImages(references, temporary, { signal });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(file, error);
  }
  return { file, bytes: (await stat(file)).size, images: references };
}

/** Docker leaves the digest out of an archive, so that nobody finds the image again. */
function refuseDigests(references: string[]): void {
  const named = references.filter(isDigest);
  if (named.length === 0) return;
  throw usageError({
    code: 'IMAGE_BY_DIGEST',
    message: `An archive cannot keep images that are named by digest: ${named.join(', ')}`,
    hint: 'Name them by tag (images in forge.yaml) for `forge images save`',
  });
}

/** Takes an archive into this machine's Docker, and says what the stack still lacks. */
export async function loadStackImages(options: ImageOptions & { file: string }): Promise<ImageList & { file: string; loaded: string[] }> {
  const { signal } = options;
  const stack = await imageStack(options);
  const file = path.resolve(options.file);
  if (!(await stat(file).catch(() => undefined))?.isFile())
    throw usageError({
      code: 'FILE_MISSING',
      message: `There is no file ${file}`,
      hint: '`forge images save FILE` writes one, on a machine that has the images',
    });
  const text = await loadImages(file, { signal });
  const loaded = [...text.matchAll(/^Loaded image(?: ID)?: (\S+)$/gm)].map(([, image]) => image ?? '');
  return { file, loaded, ...(await stateOfImages(stack, signal)) };
}

/**
 * For `up --offline`: what is neither on this machine nor in the cluster, all at once.
 * @throws ForgeError IMAGES_MISSING (exit 3)
 */
export async function refuseMissing(stack: StackContext, node: Container | undefined, signal: AbortSignal): Promise<void> {
  const needed = await imagesNeeded(stack, signal);
  const { images } = await stateOfImages(stack, signal, needed);
  // A cluster that is there needs no image of its own any more; that of k3d's helper only where it has to be started.
  const idle = new Set([...(node === undefined ? [] : ['k3s']), ...(node?.status === 'running' ? ['k3d-tools'] : [])]);
  const missing = images.filter(({ name, here, inCluster }) => !here && inCluster !== true && !idle.has(name)).map(({ image }) => image);
  if (missing.length > 0) throw imageMissing(missing);
}
