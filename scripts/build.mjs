// Builds dist/, schemas/, docs/commands/ and oclif.manifest.json. The same sources give the same bytes: CI fails when the committed ones differ.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// The pages are as wide on every terminal; read when oclif is loaded.
process.env.OCLIF_COLUMNS = '80';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => path.join(root, ...parts);
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);

// Compiled beside dist/ and put in its place when it is whole: a build that fails leaves the last one usable.
const fresh = at(`dist.${process.pid}`);
const tsc = [at('node_modules', 'typescript', 'bin', 'tsc'), '-p', at('tsconfig.json'), '--outDir', fresh];
const { status } = spawnSync(process.execPath, tsc, { cwd: root, stdio: 'inherit' });
if (status !== 0) {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(status ?? 1);
}
rmSync(at('dist'), { recursive: true, force: true });
renameSync(fresh, at('dist'));
await writeSchemas();
await writeManifest();
await writeCommandPages();

/** The shapes of --json output, from src/cli/schemas.ts, and of forge.yaml, from src/config/schema.ts. */
async function writeSchemas() {
  const { z } = await import('zod');
  const load = (file) => import(pathToFileURL(at('dist', 'src', file)).href);
  const [{ schemas }, { configSchema }] = await Promise.all([load('cli/schemas.js'), load('config/schema.js')]);
  rmSync(at('schemas'), { recursive: true, force: true });
  mkdirSync(at('schemas'));
  const documents = { ...schemas, forge: configSchema };
  for (const [name, schema] of Object.entries(documents))
    // Keys with a default may be left out of forge.yaml; output documents are described as they are printed.
    writeJson(at('schemas', `${name}.schema.json`), z.toJSONSchema(schema, { io: name === 'forge' ? 'input' : 'output' }));
}

/** What `oclif manifest` does: the commands' flags and texts, so that `forge` need not load every command to start. */
async function writeManifest() {
  const { Plugin } = await import('@oclif/core');
  process.env.NODE_ENV = 'production';
  const plugin = new Plugin({ root, isRoot: true, ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true });
  await plugin.load();
  const { commands, ...rest } = plugin.manifest;
  const sorted = Object.fromEntries(Object.entries(commands).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeJson(at('oclif.manifest.json'), { commands: sorted, ...rest });
}

/** A page per command, from the same text as `--help`. */
async function writeCommandPages() {
  const { Config, settings } = await import('@oclif/core');
  const { ForgeHelp } = await import(pathToFileURL(at('dist', 'src', 'cli', 'help.js')).href);
  settings.enableAutoTranspile = false;
  const config = await Config.load({ root });
  class Page extends ForgeHelp {
    text = '';
    log(...words) {
      this.text += `${words.join(' ')}\n`;
    }
  }
  rmSync(at('docs', 'commands'), { recursive: true, force: true });
  mkdirSync(at('docs', 'commands'), { recursive: true });
  for (const id of config.commands.filter((one) => one.pluginName === config.name && !one.hidden).map((one) => one.id)) {
    const page = new Page(config, { stripAnsi: true });
    await page.showHelp([...id.split(':'), '--help']);
    const words = id.split(':');
    writeFileSync(
      at('docs', 'commands', `${words.join('-')}.md`),
      `# forge ${words.join(' ')}\n\n\`\`\`text\n${page.text.trim()}\n\`\`\`\n`,
    );
  }
}
