import { Errors } from '@oclif/core';
import { ExitCode, ForgeError, messageOf } from '../errors.js';
import { nearest } from '../config/suggest.js';
import { redact } from '../workspace/secret.js';

/** The document that --json prints for every error, and its exit code. */
export interface ErrorReport {
  exitCode: number;
  document: { error: { code: string; message: string; hint: string | null } };
}

/** Thrown (as the abort reason) when a signal or a closed pipe ends a command. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGPIPE') {
    super(`Interrupted by ${signal}`);
    this.name = 'Interrupted';
    this.exitCode = { SIGINT: ExitCode.interrupted, SIGTERM: ExitCode.terminated, SIGPIPE: 141 }[signal];
  }
}

const report = (exitCode: number, code: string, message: string, hint?: string): ErrorReport => ({
  exitCode,
  document: { error: { code, message: redact(message), hint: hint === undefined ? null : redact(hint) } },
});

/** What a thrown thing means to the person who reads it. Undefined for oclif's `exit(n)`, which carries no message. */
export function reportError(error: unknown, argv: readonly string[] = []): ErrorReport | undefined {
  if (error instanceof Errors.ExitError) return undefined;
  if (error instanceof ForgeError) return report(error.exitCode, error.code, error.message, error.hint);
  if (error instanceof Interrupted)
    return report(error.exitCode, 'INTERRUPTED', error.message, 'Run the same command again; it continues from what is there.');
  // oclif's other exit codes are of its own troubles, such as a command that cannot be loaded.
  if (error instanceof Errors.CLIError && error.oclif.exit === ExitCode.usage)
    return report(ExitCode.usage, 'USAGE', usageMessage(error.message), usageHint(error, argv));
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EMFILE' || code === 'ENFILE')
    return report(
      ExitCode.lacking,
      'TOO_MANY_FILES',
      `The system lets forge open no more files: ${messageOf(error)}`,
      code === 'EMFILE'
        ? 'Allow this shell more of them: `ulimit -n 1024`; then run the same command again'
        : 'Close other programs, then run the same command again',
    );
  const hint =
    'This is a defect in forge. Run the command again with FORGE_DEBUG=1 and report the output and `forge version --json` at the project.';
  return report(ExitCode.defect, 'DEFECT', messageOf(error), hint);
}

/** oclif's message without its own pointer to the help, which the hint gives better. */
function usageMessage(message: string): string {
  return message.replace(/\n?See more help with --help\.?/, '').trim();
}

function usageHint(error: Error, argv: readonly string[]): string {
  const end = argv.findIndex((word) => word.startsWith('-'));
  // What follows `help` was not found.
  const words = argv[0] === 'help' ? [] : argv.slice(0, end === -1 ? undefined : end);
  const help = `See \`${['forge', ...words, '--help'].join(' ')}\`.`;
  // A flag that does not exist: oclif tells which, and which there are.
  const { flags, parse } = error as { flags?: unknown; parse?: { input?: { flags?: object } } };
  const wrong: unknown = Array.isArray(flags) ? flags[0] : undefined;
  const near = typeof wrong === 'string' ? nearest(wrong.replace(/^-+/, ''), Object.keys(parse?.input?.flags ?? {})) : undefined;
  return near === undefined ? help : `Did you mean --${near}? ${help}`;
}

/** The stack of anything that was thrown, with its causes, for FORGE_DEBUG. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\nCaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

/** An error as a person reads it: what happened, then the next step; the stack only when FORGE_DEBUG or DEBUG asks. */
export function errorText({ document: { error } }: ErrorReport, thrown: unknown): string {
  const lines = [`Error: ${error.message}`];
  if (error.hint !== null) lines.push(`Hint: ${error.hint}`);
  if (process.env['FORGE_DEBUG'] || process.env['DEBUG']) lines.push(stackOf(thrown));
  return lines.join('\n');
}
