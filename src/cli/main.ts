import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Config, type Interfaces, Plugin, run, settings } from '@oclif/core';
import { formatOf, ownWords } from './argv.js';
import { errorText, Interrupted, reportError } from './errors.js';
import { releaseTerminal } from './display.js';
import { answerInJson, versionInJson } from './framework-json.js';
import { createOutput } from './output.js';
import { packageRoot } from './paths.js';

export interface MainOptions {
  argv: string[];
  /** Run the commands' sources (bin/dev.js). */
  development?: boolean;
  /** Folder with the package.json that describes the commands; forge's own unless a test says otherwise. */
  root?: string;
}

/** Runs one command line and ends the process with the exit code that it deserves. */
export async function main({ argv, development = false, root = packageRoot() }: MainOptions): Promise<never> {
  if (ownWords(argv).includes('--no-color')) process.env['NO_COLOR'] = '1';
  process.stdout.on('error', ignoreClosedPipe);
  process.stderr.on('error', ignoreClosedPipe);
  // A file that may not grow further (`ulimit -f`) is an error of the write then, and not the end of forge.
  if (process.platform !== 'win32') process.on('SIGXFSZ', () => undefined);
  process.on('uncaughtException', (error) => {
    void fail(error, argv).then(end);
  });
  // oclif would otherwise look for sources whenever NODE_ENV says test or development, and take dist/ without a word when it finds none.
  settings.enableAutoTranspile = false;
  try {
    const config = await Config.load(development ? await sources(root) : { root });
    if (!(await answerInJson(argv, config))) await run(versionInJson(argv), config);
  } catch (error) {
    await fail(error, argv);
  }
  return end();
}

/**
 * In development the paths of package.json point at the sources, and the manifest is left aside: it does not know a
 * command that was added since the last build.
 */
async function sources(root: string) {
  const pjson = JSON.parse((await readFile(path.join(root, 'package.json'), 'utf8')).replaceAll('./dist/', './')) as Interfaces.PJSON;
  const own = new Plugin({ root, pjson, isRoot: true, ignoreManifest: true, type: 'core' });
  const parts = (pjson.oclif.plugins ?? []).map((name) => new Plugin({ root, name, type: 'core' }));
  const plugins = [own, ...parts];
  await Promise.all(plugins.map((plugin) => plugin.load()));
  return { root, plugins: new Map(plugins.map((plugin) => [plugin.name, plugin])) };
}

async function fail(error: unknown, argv: string[]): Promise<void> {
  // What was thrown outside of the command leaves its display on the screen.
  releaseTerminal();
  const report = reportError(error, argv);
  process.exitCode = report?.exitCode ?? (error as { oclif?: { exit?: number } }).oclif?.exit ?? 1;
  if (!report || (error instanceof Interrupted && error.signal === 'SIGPIPE')) return;
  const format = formatOf(argv);
  const output = createOutput({ format, quiet: false });
  if (format === 'json') output.document(report.document);
  else if (format === 'ndjson') output.record({ type: 'result', ...report.document });
  else output.error(errorText(report, error));
}

/** Ends although a library may have left a socket or a timer open, but not before everything was written. */
async function end(): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => {
      if (stream.writableEnded || stream.destroyed) resolve();
      else stream.write('', () => resolve());
    });
  process.exit();
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
