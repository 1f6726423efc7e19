import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from '../../clients/exec.js';
import { reasonOf, request } from '../../clients/http.js';
import { lackingError, messageOf } from '../../errors.js';
import { digestOf, fetchInto } from '../../runtimes/process/install/fetch.js';
import { withLease } from '../../runtimes/process/install/lease.js';
import { fileError, removeLeft } from '../../workspace/atomic.js';

const SITES = ['https://downloads.apache.org/polaris', 'https://archive.apache.org/dist/polaris'];
const CONNECT_MS = 5_000;

/** Where Apache keeps the binary distribution: the current releases, then the archive of all. */
export const distributionUrls = (version: string, sites: string[] = SITES): string[] =>
  sites.map((site) => `${site}/${version}/polaris-bin-${version}.tgz`);

export interface DownloadOptions {
  signal?: AbortSignal | undefined;
  progress?: ((text: string) => void) | undefined;
  /** For tests: other sites than Apache's. */
  sites?: string[];
}

interface Site {
  url: string;
  sha512: string;
}

/** The site that answers with a checksum; both are asked at once, so that no network ends quickly. */
async function findSite(version: string, options: DownloadOptions): Promise<Site> {
  const asked = distributionUrls(version, options.sites).map(async (url) => {
    const answer = await request(`${url}.sha512`, { timeoutMs: CONNECT_MS, ...(options.signal && { signal: options.signal }) });
    const sha512 = /\b[0-9a-f]{128}\b/i.exec(answer.text)?.[0].toLowerCase();
    if (!answer.ok) throw new Error(`answers ${answer.status}`);
    if (sha512 === undefined) throw new Error('gives no checksum');
    return { url, sha512 };
  });
  const answers = await Promise.allSettled(asked);
  const found = answers.find((answer) => answer.status === 'fulfilled');
  if (found) return found.value;
  options.signal?.throwIfAborted();
  const hosts = distributionUrls(version, options.sites).map((url) => new URL(url).host);
  const why = answers.map((answer, at) => `${hosts[at] ?? ''}: ${answer.status === 'rejected' ? shortReason(answer.reason) : ''}`);
  throw lackingError({ code: 'DOWNLOAD_FAILED', message: why.join(', ') });
}

/** One of several in a line: without the address, which stands before it. */
const shortReason = (error: unknown): string => {
  if (/timed out/.test(messageOf(error))) return 'timed out';
  const { cause } = error as Error;
  return reasonOf(cause ?? error).replace(/:.*/s, '');
};

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const isHome = (folder: string): boolean => ['server', 'admin'].every((name) => existsSync(join(folder, 'bin', name)));

/**
 * Puts the distribution into `folder`, which lies in the packages of the cache, whole or not at all: download, checksum,
 * unpack beside it, rename; one forge at a time, and the next one takes what the first has made.
 * Throws DOWNLOAD_FAILED or DOWNLOAD_CORRUPT.
 */
export async function downloadPolaris(version: string, folder: string, options: DownloadOptions = {}): Promise<void> {
  const site = await findSite(version, options);
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  const { signal = new AbortController().signal, progress } = options;
  const onWait = (pid: number): void => progress?.(`Polaris: waiting for process ${pid}, which downloads it`);
  await withLease(join(dirname(parent), 'locks', `polaris-${version}`), { signal, onWait }, async () => {
    if (isHome(folder)) return;
    await install(version, folder, site, options).catch((error: unknown) => {
      throw fileError(folder, error);
    });
  });
}

async function install(version: string, folder: string, { url, sha512 }: Site, options: DownloadOptions): Promise<void> {
  const parent = dirname(folder);
  const unpacked = join(parent, `.polaris-${version}.${process.pid}`);
  // Only the holder of the lease unpacks: whatever is there was left by a forge that is gone.
  const left = (await readdir(parent)).filter((name) => name.startsWith(`.polaris-${version}.`));
  await Promise.all(left.map((name) => removeLeft(join(parent, name))));
  const archive = join(parent, `.${basename(url)}.part`);
  const onBytes = (done: number, total: number): void =>
    options.progress?.(`Polaris: ${megabytes(done)}${total > done ? ` of ${megabytes(total)}` : ''}`);
  await fetchInto(url, archive, { signal: options.signal, onBytes });
  if ((await digestOf(archive, 'sha512')) !== sha512) {
    await rm(archive, { force: true });
    throw lackingError({ code: 'DOWNLOAD_CORRUPT', message: `${url} does not have the checksum that stands beside it` });
  }
  options.progress?.('Polaris: unpacking');
  await mkdir(unpacked);
  try {
    await run('tar', ['-xzf', archive, '-C', unpacked, '--strip-components=1'], { signal: options.signal, tied: true });
    await rename(unpacked, folder);
  } finally {
    await removeLeft(unpacked);
  }
  await rm(archive, { force: true });
}
