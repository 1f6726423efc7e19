import { setMaxListeners } from 'node:events';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError, lackingError } from '../../../errors.js';
import { fileError, freshBeside, removeLeft, sweepBeside } from '../../../workspace/atomic.js';
import type { Toolchain } from '../toolchain/toolchain.js';
import { installArchive } from './archive.js';
import { npmPackage, type PackageSet, type Packages } from './definition.js';
import { isInstalled, markerOf, setFolder } from './installed.js';
import { withLease } from './lease.js';
import { installMaven } from './maven.js';
import { installNpm } from './npm.js';
import { forgetDownloads, installPip } from './pip.js';
import { requireSpace } from './space.js';
import { tmpOf, type Step } from './step.js';

export interface InstalledSet {
  name: string;
  version: string;
  dir: string;
  /** False: it was there already (or another process installed it meanwhile). */
  installed: boolean;
}

/** How far one set is. */
export interface SetProgress {
  set: PackageSet;
  doneBytes: number;
  totalBytes: number;
  /** Empty while it downloads; else what goes on instead. */
  doing: string;
}

export interface InstallOptions {
  cacheDir: string;
  toolchain: Toolchain;
  signal: AbortSignal;
  /** Called with every set that has to be installed, at each change. */
  onProgress: (sets: readonly SetProgress[]) => void;
}

/**
 * Installs these sets into the cache, all at once. Each is made in a folder beside its place and moved there when it is
 * complete; an interrupted one is made again, out of what Maven, pip and npm have kept. The first failure stops the others.
 * @throws ForgeError PACKAGES_UNAVAILABLE, DISK_FULL, NOT_WRITABLE, PLATFORM_UNSUPPORTED (exit 3)
 */
export async function installSets(
  packages: Packages,
  sets: readonly PackageSet[],
  options: InstallOptions,
): Promise<Record<string, InstalledSet>> {
  const { cacheDir, signal } = options;
  const missing = sets.filter((set) => !isInstalled(cacheDir, set));
  for (const set of missing) if (set.definition.kind === 'npm') npmPackage(set.definition);
  if (missing.length > 0) await requireCache(cacheDir, missing);

  const progress = missing.map((set): SetProgress => ({ set, doneBytes: 0, totalBytes: set.definition.downloadMB * 1e6, doing: '' }));
  const failure = new AbortController();
  const all = AbortSignal.any([signal, failure.signal]);
  // Every set waits on it, in several places.
  setMaxListeners(0, all);
  const made = new Set<PackageSet>();
  const outcomes = await Promise.allSettled(
    progress.map(async (own) => {
      try {
        const show = (change: Partial<SetProgress>): void => {
          Object.assign(own, change);
          options.onProgress(progress);
        };
        if (await installOne(packages, own, { ...options, signal: all }, show)) made.add(own.set);
        show({ doneBytes: own.totalBytes, doing: '' });
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    }),
  );
  if (outcomes.some(({ status }) => status === 'rejected')) throw failure.signal.reason;
  return Object.fromEntries(
    sets.map((set) => [
      set.name,
      { name: set.name, version: set.definition.version, dir: setFolder(cacheDir, set), installed: made.has(set) },
    ]),
  );
}

/** Ending of a set that is being made. */
const PARTIAL = 'partial';

/** False when another process had installed it by the time that its lock was free. */
async function installOne(
  packages: Packages,
  own: SetProgress,
  options: InstallOptions,
  show: (change: Partial<SetProgress>) => void,
): Promise<boolean> {
  const { cacheDir, signal, toolchain } = options;
  const { set } = own;
  const target = setFolder(cacheDir, set);
  const onWait = (pid: number): void => show({ doing: `waiting for process ${pid}, which installs it` });
  return withLease(path.join(cacheDir, 'locks', set.id), { signal, onWait }, async () => {
    if (isInstalled(cacheDir, set)) return false;
    show({ doing: '' });
    // Only the holder of the lock uses these; whatever is there was left by a process that is gone.
    await sweepBeside(target, PARTIAL);
    await removeLeft(target);
    const stage = freshBeside(target, PARTIAL);
    await mkdir(stage, { recursive: true });
    const step: Step = {
      stage,
      cacheDir,
      toolchain,
      signal,
      downloaded: (bytes) => show({ doneBytes: Math.max(own.doneBytes, bytes) }),
      doing: (doing) => show({ doing }),
    };
    try {
      await fill(packages, set, step);
      await rm(tmpOf(step), { recursive: true, force: true });
      await rename(stage, target);
      await writeFile(markerOf(target), `${JSON.stringify({ set: set.id, installed: new Date().toISOString() })}\n`);
    } catch (error) {
      await removeLeft(stage);
      throw fileError(target, error);
    }
    if (set.definition.kind === 'pip-archive' || set.definition.kind === 'pip') await forgetDownloads(set.definition, cacheDir);
    return true;
  });
}

async function fill(packages: Packages, set: PackageSet, step: Step): Promise<void> {
  const { definition } = set;
  try {
    switch (definition.kind) {
      case 'maven':
        return await installMaven(definition, set, packages.mavenDependencyPlugin, step);
      case 'pip':
        return await installPip(definition, step);
      case 'pip-archive':
        return await installArchive(definition, step);
      case 'npm':
        return await installNpm(definition, step);
    }
  } catch (error) {
    step.signal.throwIfAborted();
    if (error instanceof ForgeError && error.code !== 'EXEC_FAILED') throw error;
    // Neither compiling nor unpacking depends on the network: it is the machine again, if it is not forge.
    if (error instanceof ForgeError)
      throw lackingError({
        code: 'PACKAGES_BROKEN',
        message: `${definition.title} could not be installed: ${error.message}`,
        hint: error.hint ?? '',
        cause: error,
      });
    throw fileError(step.stage, error);
  }
}

/** Looked at before anything is downloaded. */
async function requireCache(cacheDir: string, missing: readonly PackageSet[]): Promise<void> {
  try {
    await mkdir(path.join(cacheDir, 'packages'), { recursive: true });
    await readdir(cacheDir);
  } catch (error) {
    throw fileError(cacheDir, error);
  }
  await requireSpace(cacheDir, missing);
}
