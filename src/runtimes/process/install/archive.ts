import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { run, tryRun } from '../../../clients/exec.js';
import { request } from '../../../clients/http.js';
import type { PipArchiveSet } from './definition.js';
import { digestOf, fetchInto, lengthOf, type FetchOptions } from './fetch.js';
import { downloadsOf, environment, makeVenv, QUIET, SETTINGS } from './pip.js';
import { download, sizeOf, tmpOf, type Step } from './step.js';

/** Downloads a source archive that is published on PyPI and unpacks one folder of it. */
export async function installArchive(definition: PipArchiveSet, step: Step): Promise<void> {
  const { stage, signal, cacheDir } = step;
  const env = await environment(step);
  const archive = path.join(downloadsOf(definition, cacheDir), `${definition.package}.tar.gz`);
  const venv = path.join(tmpOf(step), 'venv');
  await mkdir(venv, { recursive: true });
  await makeVenv(venv, step, env);
  const python = path.join(venv, 'bin/python');
  if (!existsSync(archive)) await fetchArchive(definition, archive, python, env, step);
  step.doing('unpacking');
  await run(python, ['-c', UNPACK, archive, definition.folder, stage, ...definition.leaveOut], {
    env,
    signal,
    timeoutSeconds: 600,
    tied: true,
  });
}

/** Once it is complete here, it is taken up from here, also when forge is killed before it is unpacked. */
async function fetchArchive(definition: PipArchiveSet, archive: string, python: string, env: NodeJS.ProcessEnv, step: Step): Promise<void> {
  await mkdir(path.dirname(archive), { recursive: true });
  if (await fetchByParts(definition, archive, python, env, step)) return;
  const folder = path.join(tmpOf(step), 'download');
  const before = await sizeOf(tmpOf(step));
  const watch = setInterval(() => {
    void sizeOf(tmpOf(step)).then((size) => step.downloaded(Math.max(0, size - before)));
  }, 500);
  try {
    const wanted = `${definition.package}==${definition.version}`;
    const args = ['-m', 'pip', 'download', '--no-deps', '--no-binary', ':all:', ...QUIET, '-d', folder, wanted];
    await download(python, args, { title: definition.title, settings: SETTINGS, env, cwd: step.stage, signal: step.signal });
  } finally {
    clearInterval(watch);
  }
  const [file] = (await readdir(folder)).filter((one) => one.endsWith('.tar.gz'));
  await rename(path.join(folder, file ?? ''), archive);
}

/**
 * pip begins anew when it was interrupted. So the archive is fetched from where pip would take it, going on with what is
 * there, and checked. False where that does not work, for whatever reason: then pip itself has to, and tells what is wrong.
 */
async function fetchByParts(
  definition: PipArchiveSet,
  archive: string,
  python: string,
  env: NodeJS.ProcessEnv,
  { signal, downloaded }: Step,
): Promise<boolean> {
  const part = `${archive}.part`;
  try {
    const found = await findArchive(definition, python, env, signal);
    if (found === undefined) return false;
    await fetchAll(found.url, part, { signal, onBytes: downloaded });
    if ((await digestOf(part, 'sha256')) === found.sha256) {
      await rename(part, archive);
      return true;
    }
    await rm(part);
  } catch {
    signal.throwIfAborted();
  }
  return false;
}

/** Connections break within hundreds of megabytes: one that brought something is followed by another. */
async function fetchAll(url: string, file: string, options: FetchOptions): Promise<void> {
  for (;;) {
    const before = await lengthOf(file);
    try {
      return await fetchInto(url, file, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if ((await lengthOf(file)) <= before) throw error;
    }
  }
}

const PROXIES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];
/** Settings with which pip goes where only pip can go, or takes what only pip can choose. */
const FOR_PIP = /\.(extra-index-url|find-links|no-index|proxy|client-cert|keyring-provider)=/;
const indexPage = z.object({
  files: z.array(z.object({ filename: z.string(), url: z.string(), hashes: z.record(z.string(), z.string()) })),
});

/** Address and sum of the archive, as the index of pip's settings tells them (PEP 691); undefined where pip has to be asked. */
async function findArchive(
  { package: name, version }: PipArchiveSet,
  python: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ url: string; sha256: string } | undefined> {
  if (PROXIES.some((variable) => (env[variable] ?? '') !== '')) return undefined;
  const args = ['-m', 'pip', 'config', 'list', '--disable-pip-version-check', '--no-input'];
  const { stdout, exitCode } = await tryRun(python, args, { env, signal, tied: true, timeoutSeconds: 60 });
  const indexes = [...new Set([...stdout.matchAll(/\.index-url='(.*)'$/gm)].map((match) => match[1] ?? ''))];
  if (exitCode !== 0 || FOR_PIP.test(stdout) || indexes.length > 1) return undefined;
  const index = indexes[0] ?? (await defaultIndex(python, env, signal));
  if (index === undefined) return undefined;
  const page = `${index.replace(/\/+$/, '')}/${name}/`;
  const answer = await request(page, { headers: { accept: 'application/vnd.pypi.simple.v1+json' }, signal });
  const plain = (file: string): string => file.toLowerCase().replaceAll('_', '-');
  const file = indexPage.parse(answer.json()).files.find(({ filename }) => plain(filename) === plain(`${name}-${version}.tar.gz`));
  const sha256 = file?.hashes['sha256'];
  return file === undefined || sha256 === undefined ? undefined : { url: new URL(file.url, page).href, sha256 };
}

/** The index that pip itself falls back to; undefined where this pip does not tell. */
async function defaultIndex(python: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string | undefined> {
  const ask = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)';
  const { stdout, exitCode } = await tryRun(python, ['-c', ask], { env, signal, tied: true, timeoutSeconds: 60 });
  return exitCode === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}

const UNPACK = `import sys, tarfile
archive, folder, to, leave_out = sys.argv[1], sys.argv[2], sys.argv[3], tuple(sys.argv[4:])
with tarfile.open(archive) as tar:
    for member in tar:
        parts = member.name.split("/")
        rest = "/".join(parts[2:])
        if len(parts) < 3 or parts[1] != folder or ".." in parts or not (member.isfile() or member.isdir()) or (leave_out and rest.startswith(leave_out)):
            continue
        member.name, member.mode = rest, 0o755 if member.isdir() else 0o644
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        tar.extract(member, to, set_attrs=False)
`;
