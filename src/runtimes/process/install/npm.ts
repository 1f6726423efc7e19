import { mkdir, readFile, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { npmPackage, type NpmSet } from './definition.js';
import { download, sizeOf, tmpOf, type Step } from './step.js';

// What `npm run` and `npx` tell their children about themselves would make this npm install somewhere else.
const INHERITED =
  /^npm_config_(prefix|local_prefix|global|global_prefix|location|package|call|workspace|workspaces|dry_run|omit|include)$/i;

/** The binaries of an npm package, without running any script of it. */
export async function installNpm(definition: NpmSet, step: Step): Promise<void> {
  const { stage, signal, toolchain } = step;
  const folder = path.join(tmpOf(step), 'npm');
  const wanted = npmPackage(definition);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{"private":true}\n');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !INHERITED.test(name)));
  // npm is itself a script that looks for node.
  env['PATH'] = `${path.dirname(process.execPath)}${path.delimiter}${env['PATH'] ?? ''}`;
  const args = [
    'install',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--no-update-notifier',
    wanted,
  ];
  const total = definition.diskMB * 1e6;
  const watch = setInterval(() => {
    void sizeOf(folder).then((size) => step.downloaded(Math.min(1, size / total) * definition.downloadMB * 1e6));
  }, 500);
  try {
    const settings = 'npm (npm config set proxy, registry)';
    await download(toolchain.npm!, args, { title: definition.title, settings, env, cwd: folder, signal });
  } finally {
    clearInterval(watch);
  }
  const root = path.join(folder, 'node_modules', ...wanted.replace(/@[^@/]+$/, '').split('/'), definition.folder);
  for (const name of await readdir(root)) await rename(path.join(root, name), path.join(stage, name));
  if (definition.symlinks !== undefined) await makeLinks(definition, definition.symlinks, stage);
}

async function makeLinks(definition: NpmSet, list: string, stage: string): Promise<void> {
  const links = JSON.parse(await readFile(path.join(stage, list), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const [from, to] = [path.relative(definition.folder, source), path.relative(definition.folder, target)];
    // Relative, so that the folder can be moved.
    await symlink(path.relative(path.dirname(to), from), path.join(stage, to)).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  }
}
