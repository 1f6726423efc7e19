// Builds dist/, schemas/, docs/commands/ and oclif.manifest.json. The same sources give the same bytes: CI fails when the committed ones differ.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

// The pages are as wide on every terminal; read when oclif is loaded.
process.env.OCLIF_COLUMNS = '80';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => path.join(root, ...parts);
/** What is loaded by name, beside the commands: by bin/run.js, by the framework (package.json), and below. */
const ENTRIES = [
  'src/cli/main.ts',
  'src/cli/help.ts',
  'src/cli/hooks/command-not-found.ts',
  'src/cli/schemas.ts',
  'src/config/schema.ts',
  'src/config/prepared.ts',
  'src/config/source.ts',
];
const load = (file) => import(pathToFileURL(at('dist', 'src', file)).href);
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);

/** Of the languages in which zod can speak, the one in which forge does: the others are half of its code. */
const english = {
  name: 'english',
  setup: ({ onLoad }) => {
    const contents = "export { default as en } from './en.js';";
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, ({ path: file }) => ({ contents, resolveDir: path.dirname(file) }));
  },
};

// Bundled beside dist/ and put in its place when it is whole: a build that fails leaves the last one usable.
const fresh = at(`dist.${process.pid}`);
try {
  await bundle(fresh);
} catch (error) {
  rmSync(fresh, { recursive: true, force: true });
  // esbuild has printed what is wrong with the sources.
  if (error.errors === undefined) console.error(error);
  process.exit(1);
}
rmSync(at('dist'), { recursive: true, force: true });
renameSync(fresh, at('dist'));
await writeParsed();
await writeSchemas();
await writeManifest();
await writeCommandPages();

/**
 * One file per command and some that they share: loading several hundred small files costs more than all that most commands do.
 * The framework and its plugins stay outside because they look for each other on the disk, and what few commands load because it is large.
 */
async function bundle(outdir) {
  const found = readdirSync(at('commands'), { recursive: true }).filter((file) => file.endsWith('.ts'));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [...found.sort().map((file) => path.join('commands', file)), ...ENTRIES],
    outbase: '.',
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'shared/[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['@oclif/*', '@kubernetes/*', '@inquirer/*'],
    // Its entry for Node is CommonJS, whose names a bundle cannot import one by one.
    alias: { yaml: at('node_modules/yaml/browser/index.js') },
    plugins: [english],
    // As Node 21 has it: pg, which looks for it, would otherwise load all of `fetch` to learn where it runs.
    define: { navigator: JSON.stringify({ userAgent: 'Node.js' }) },
    // Libraries in CommonJS ask for Node's own modules with `require`.
    banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(path.join(outdir, 'LICENSES.txt'), licenses(Object.keys(metafile.inputs)));
}

/** The licences of the libraries whose code is in the bundle, as they ask for. */
function licenses(inputs) {
  const folders = inputs.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  const texts = [...new Set(folders)].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(at(folder, 'package.json'), 'utf8'));
    const files = readdirSync(at(folder)).filter((file) => /^licen[cs]e/i.test(file));
    return [`${name} ${version} (${license})`, ...files.map((file) => readFileSync(at(folder, file), 'utf8').trim())].join('\n\n');
  });
  return `${texts.join('\n\n----------\n\n')}\n`;
}

/** forge's own YAML as src/config/prepared.ts reads it. */
async function writeParsed() {
  const [{ parseYaml }, { textHash }] = await Promise.all([load('config/source.js'), load('config/prepared.js')]);
  const playbooks = readdirSync(at('playbooks'), { recursive: true }).filter((file) => file.endsWith('.yaml'));
  const files = ['packages.yaml', ...playbooks.sort().map((file) => path.join('playbooks', file))];
  const parsed = {};
  for (const file of files) {
    const text = readFileSync(at(file), 'utf8');
    // What is wrong is told by the command that reads it, and by the tests.
    const known = await parseYaml(text, () => undefined);
    if (known !== undefined) parsed[textHash(text)] = known;
  }
  writeFileSync(at('dist', 'parsed.json'), JSON.stringify(parsed));
}

/** The shapes of --json output, from src/cli/schemas.ts, and of forge.yaml, from src/config/schema.ts. */
async function writeSchemas() {
  const { z } = await import('zod');
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
  const { ForgeHelp } = await load('cli/help.js');
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
