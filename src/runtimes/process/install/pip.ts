import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../../../clients/exec.js';
import { ForgeError } from '../../../errors.js';
import type { PipArchiveSet, PipSet } from './definition.js';
import { pipBytes } from './output.js';
import { download, sizeOf, tmpOf, type Step } from './step.js';

export const SETTINGS = 'pip (HTTPS_PROXY, PIP_INDEX_URL or pip.conf)';
// For the build environment in which pip reads an archive's name; else the newest would be taken.
const BUILD_TOOLS = 'setuptools==80.9.0\nwheel==0.45.1\n';

/** A Python environment with exactly these packages: nothing is resolved, so nothing floats and nothing is tried twice. */
export async function installPip(definition: PipSet, step: Step): Promise<void> {
  const { stage, signal, toolchain } = step;
  const requirements = path.join(stage, 'requirements.txt');
  const env = await environment(step);
  const { title } = definition;
  const list = `${definition.requirements.join('\n')}\n`;
  const python = path.join(stage, 'bin/python');
  const withPip = async (): Promise<void> => {
    await makeVenv(stage, step, env);
    await writeFile(requirements, list);
    const wheels = path.join(downloadsOf(definition, step.cacheDir), `py${toolchain.python!.version}`);
    await fetchWheels(definition, wheels, python, env, step);
    step.doing('installing');
    const args = ['-m', 'pip', 'install', '--no-deps', '--no-index', '--find-links', wheels, '--no-compile', ...QUIET, '-r', requirements];
    await download(python, args, { title, settings: SETTINGS, env, cwd: stage, signal });
  };
  const withUv = async (uv: string): Promise<void> => {
    await download(uv, ['venv', '-q', '--allow-existing', '--python', toolchain.python!.program, stage], {
      title,
      settings: SETTINGS,
      env,
      signal,
    });
    await writeFile(requirements, list);
    step.doing('downloading with uv');
    const args = ['pip', 'install', '--python', python, '--no-deps', '--only-binary', ':all:', '-r', requirements];
    await download(uv, args, { title, settings: 'uv (HTTPS_PROXY, UV_DEFAULT_INDEX)', env, cwd: stage, signal });
  };
  if (toolchain.uv === undefined) await withPip();
  else
    try {
      await withUv(toolchain.uv);
    } catch (error) {
      // uv knows nothing of pip's settings (mirrors, certificates); pip may come through where uv does not.
      if (!(error instanceof ForgeError) || error.code !== 'PACKAGES_UNAVAILABLE' || toolchain.python?.venv !== true) throw error;
      await withPip();
    }
  await dropScripts(stage);
  if (definition.warmUp === undefined) return;
  step.doing('compiling bytecode');
  await run(python, ['-c', definition.warmUp], { env, cwd: tmpOf(step), signal, timeoutSeconds: 300, tied: true });
}

/**
 * Downloads in batches, and keeps each that is complete: pip itself keeps nothing before it has everything, and its cache
 * nothing where a mirror or proxy leaves out the headers for it.
 */
async function fetchWheels(definition: PipSet, wheels: string, python: string, env: NodeJS.ProcessEnv, step: Step): Promise<void> {
  await mkdir(wheels, { recursive: true });
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, '-');
  const kept = new Set((await readdir(wheels)).map((file) => file.split('-').slice(0, 2).map(plain).join('==')));
  const wanted = definition.requirements.filter((line) => !kept.has(line.replace(/;.*/, '').trim().split('==').map(plain).join('==')));
  let bytes = await sizeOf(wheels);
  step.downloaded(bytes);
  const onLine = (line: string): void => {
    const more = pipBytes(line);
    if (more > 0) step.downloaded((bytes += more));
  };
  const batches = Array.from({ length: Math.ceil(wanted.length / BATCH) }, (_, n) =>
    wanted.filter((_line, at) => at % Math.ceil(wanted.length / BATCH) === n),
  );
  const work = batches.entries();
  const failure = new AbortController();
  const signal = AbortSignal.any([step.signal, failure.signal]);
  const worker = async (): Promise<void> => {
    for (const [n, batch] of work) {
      const folder = path.join(tmpOf(step), `batch-${n}`);
      const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', ...QUIET, '-d', folder, ...batch];
      await download(python, args, { title: definition.title, settings: SETTINGS, env, cwd: step.stage, signal, onLine });
      for (const file of await readdir(folder).catch(() => [])) await rename(path.join(folder, file), path.join(wheels, file));
    }
  };
  // Both have to be over before the folder may be removed.
  const outcomes = await Promise.allSettled(
    [worker(), worker()].map((one) =>
      one.catch((error: unknown) => {
        failure.abort(error);
        throw error;
      }),
    ),
  );
  if (outcomes.some(({ status }) => status === 'rejected')) throw failure.signal.reason;
}

/** Where finished downloads wait for an installation that was interrupted. */
export const downloadsOf = (definition: PipSet | PipArchiveSet, cacheDir: string): string =>
  path.join(
    cacheDir,
    'downloads',
    `${definition.kind === 'pip' ? definition.title : definition.package}-${definition.version}`.toLowerCase(),
  );

/** Called when the set is in place. */
export const forgetDownloads = (definition: PipSet | PipArchiveSet, cacheDir: string): Promise<void> =>
  rm(downloadsOf(definition, cacheDir), { recursive: true, force: true });

/** Packages that one pip downloads: fewer lose less when they are interrupted, more lose less time. */
const BATCH = 14;
export const QUIET = ['--progress-bar', 'off', '--disable-pip-version-check', '--no-input'];

export async function environment(step: Step): Promise<NodeJS.ProcessEnv> {
  const folder = tmpOf(step);
  await mkdir(folder, { recursive: true });
  const constraints = path.join(folder, 'build-tools.txt');
  await writeFile(constraints, BUILD_TOOLS);
  const { PYTHONDONTWRITEBYTECODE: _, PYTHONPATH: _path, PYTHONHOME: _home, ...env } = process.env;
  // pip learns of the constraint by either name, depending on its version.
  return {
    ...env,
    TMPDIR: folder,
    PIP_CONSTRAINT: constraints,
    PIP_BUILD_CONSTRAINT: constraints,
    UV_PYTHON_DOWNLOADS: 'never',
    FILESYSTEM_ROOT: folder,
  };
}

/** An environment with pip in it. */
export async function makeVenv(folder: string, { toolchain, signal }: Step, env: NodeJS.ProcessEnv): Promise<void> {
  const python = toolchain.python!;
  const options = { env, signal, timeoutSeconds: 300, tied: true };
  if (python.venv) await run(python.program, ['-m', 'venv', folder], options);
  else await run(toolchain.uv!, ['venv', '-q', '--seed', '--allow-existing', '--python', python.program, folder], options);
}

/** The scripts name the folder in which they were made, which is about to be renamed. */
async function dropScripts(venv: string): Promise<void> {
  const bin = path.join(venv, 'bin');
  const scripts = (await readdir(bin)).filter((name) => !/^python[\d.]*$/.test(name));
  await Promise.all(scripts.map((name) => rm(path.join(bin, name), { recursive: true })));
}
