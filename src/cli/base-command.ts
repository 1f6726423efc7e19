import { setMaxListeners } from 'node:events';
import path from 'node:path';
import { Command, Flags } from '@oclif/core';
import { usageError } from '../errors.js';
import { askYesNo } from './ask.js';
import { releaseTerminal } from './display.js';
import { errorText, type ErrorReport, Interrupted, reportError } from './errors.js';
import { createOutput, type Output } from './output.js';
import { formatOf, ownWords } from './argv.js';

import { packageRoot } from './paths.js';

export { packageRoot };

/**
 * The base of every command. A command is thin: flags in, one call, a typed result out; it prints nothing itself.
 *
 *     export default class Urls extends ForgeCommand<UrlsResult> {
 *       static override summary = 'Show the addresses of the stack';
 *       static override examples = ['<%= config.bin %> <%= command.id %>'];
 *       static override flags = { all: Flags.boolean({ summary: 'Also the inner ports' }) };
 *
 *       async run(): Promise<UrlsResult> {
 *         const { flags } = await this.parse(Urls);           // flags.workspace and flags.json are always there
 *         const { listUrls } = await import('../src/…/urls.js'); // heavy code is imported here, not at the top
 *         return listUrls({ folder: flags.workspace, signal: this.signal, cacheDir: this.cacheDir });
 *       }
 *
 *       protected override render(result: UrlsResult): string {
 *         return table(['name', 'url'], result.map(…));        // text for a person; --json prints the result itself
 *       }
 *     }
 *
 * - Throw ForgeError; the message, the hint and the exit code reach the user, as text or as the --json document.
 * - A result that is not plain success sets `this.exitCode` (`verify`: ExitCode.finding) and is printed all the same.
 * - A result that is worth printing although something failed (the recap of `up`) sets `this.failure = error` and is returned.
 * - `this.signal` is aborted by Ctrl-C and SIGTERM. Throw, or return a result: without an `exitCode` of its own the command
 *   then exits 130 or 143. A second Ctrl-C ends at once.
 * - Commands that run playbooks add `runFlags` and give `createRunRenderer(…).onEvent` (src/cli/render.ts) to the runner.
 * - `this.output` takes notes and a live line on stderr; the result belongs into `render`.
 */
export abstract class ForgeCommand<Result = unknown> extends Command {
  static override enableJsonFlag = true;
  /** Set it where secrets are the result (`env`): stdout is then not masked. */
  static revealsSecrets = false;

  static override baseFlags = {
    workspace: Flags.string({
      char: 'w',
      helpGroup: 'GLOBAL',
      helpValue: 'DIR',
      env: 'FORGE_WORKSPACE',
      summary: 'Folder with forge.yaml and .forge (default: the nearest one from the current folder upwards, else the current one)',
    }),
    quiet: Flags.boolean({ char: 'q', helpGroup: 'GLOBAL', summary: 'Only results and errors, no progress' }),
    'no-color': Flags.boolean({ helpGroup: 'GLOBAL', summary: 'No colours (also with the variable NO_COLOR)' }),
  };

  /** Set it for a result that is printed but is not plain success. */
  protected exitCode: number | undefined;
  /** Set it for a result that is worth printing although something failed: the error follows it (with --json inside, as `error`). */
  protected failure: unknown;
  readonly #abort = endlessListeners(new AbortController());
  #output: Output | undefined;

  /** Aborted by Ctrl-C, SIGTERM and a closed stdout; pass it on to every request and wait. */
  protected get signal(): AbortSignal {
    return this.#abort.signal;
  }

  protected get output(): Output {
    this.#output ??= createOutput({
      format: formatOf(this.argv),
      quiet: ownWords(this.argv).some((word) => word === '--quiet' || word === '-q'),
      reveal: (this.ctor as typeof ForgeCommand).revealsSecrets,
    });
    return this.#output;
  }

  /** The cache of server packages, shared by all workspaces: FORGE_CACHE_DIR, else the user's cache folder. */
  protected get cacheDir(): string {
    return path.resolve(process.env['FORGE_CACHE_DIR'] || this.config.cacheDir);
  }

  /** What opening the workspace needs (src/lifecycle/session.ts); `folder` is flags.workspace. */
  protected place(folder: string | undefined): {
    folder: string | undefined;
    cacheDir: string;
    packageRoot: string;
    signal: AbortSignal;
    note: (text: string) => void;
  } {
    return { folder, cacheDir: this.cacheDir, packageRoot: packageRoot(), signal: this.signal, note: (text) => this.output.note(text) };
  }

  abstract override run(): Promise<Result>;

  /** The result as text for a person; without it a command prints nothing but notes. */
  protected render?(result: Result): string | undefined;

  override jsonEnabled(): boolean {
    return formatOf(this.argv) === 'json';
  }

  override log(message = ''): void {
    this.output.line(message);
  }

  override logToStderr(message = ''): void {
    this.output.note(message);
  }

  override warn(input: Error | string): Error | string {
    this.output.note(`Warning: ${input instanceof Error ? input.message : input}`);
    return input;
  }

  /** Asks a yes-or-no question on a terminal; where nobody can answer it is an error that names the flag to use. */
  protected async confirm(question: string, flag = '--yes'): Promise<boolean> {
    if (this.output.format !== 'text' || !process.stdin.isTTY || !process.stderr.isTTY)
      throw usageError({ code: 'CONFIRMATION_NEEDED', message: `${question} Nobody can answer here.`, hint: `Add ${flag}.` });
    try {
      return await askYesNo(question, this.signal);
    } catch (error) {
      if (error instanceof Interrupted) this.#abort.abort(error);
      throw error;
    }
  }

  protected override async _run<T>(): Promise<T> {
    const release = this.#listen();
    try {
      await this.init();
      const result = await this.run();
      const interrupted = this.signal.aborted ? (this.signal.reason as Interrupted) : undefined;
      const failure = this.failure === undefined ? undefined : reportError(interrupted ?? this.failure);
      this.#print(result, failure);
      const code = this.exitCode ?? failure?.exitCode ?? interrupted?.exitCode;
      if (code !== undefined) process.exitCode = code;
      return result as unknown as T;
    } catch (error) {
      // Whatever a library made of the abort, what happened is the interruption.
      throw this.signal.aborted ? this.signal.reason : error;
    } finally {
      releaseTerminal();
      this.output.liveEnd();
      release();
    }
  }

  #print(result: Result, failure: ErrorReport | undefined): void {
    const document = failure ? { ...result, ...failure.document } : (result ?? {});
    if (this.output.format === 'json') return this.output.document(document);
    if (this.output.format === 'ndjson') return this.output.record({ type: 'result', ...document });
    const text = this.render?.(result);
    if (text) this.output.line(text);
    if (failure) this.output.error(errorText(failure, this.failure));
  }

  #listen(): () => void {
    const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
      const reason = new Interrupted(signal);
      if (this.signal.aborted) {
        releaseTerminal();
        this.output.liveEnd();
        process.exit(reason.exitCode);
      }
      this.#abort.abort(reason);
      this.output.note('Stopping … press Ctrl-C again to end at once.');
    };
    const onPipe = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EPIPE') this.#abort.abort(new Interrupted('SIGPIPE'));
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    process.stdout.on('error', onPipe);
    return () => {
      process.stdout.off('error', onPipe);
      // A second Ctrl-C while an interrupted command ends is answered as during its work, not by Node's own way to die.
      if (this.signal.aborted) return;
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    };
  }
}

/** Every task of a run listens to the one signal: no sign of a leak. */
function endlessListeners(controller: AbortController): AbortController {
  setMaxListeners(0, controller.signal);
  return controller;
}
