/** Who has to act, as an exit code (design: 0 done, 1 a defect in forge, 130/143 interrupted). */
export const ExitCode = {
  done: 0,
  defect: 1,
  usage: 2,
  lacking: 3,
  server: 4,
  finding: 5,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface ForgeErrorOptions {
  /** Stable, upper case with underscores; scripts compare it (`PORT_TAKEN`). */
  code: string;
  /** What happened and where, one or two sentences. */
  message: string;
  /** The next step for the person who reads it. */
  hint?: string;
  cause?: unknown;
  exitCode: ExitCode;
}

/** The one error type that reaches a user. Anything else is a defect in forge (exit code 1). */
export class ForgeError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(options: ForgeErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ForgeError';
    this.code = options.code;
    this.hint = options.hint;
    this.exitCode = options.exitCode;
  }
}

type Parts = Omit<ForgeErrorOptions, 'exitCode'>;

/** Bad usage or configuration (exit code 2): the user mends a flag, a variable or a file. */
export const usageError = (parts: Parts): ForgeError => new ForgeError({ ...parts, exitCode: ExitCode.usage });
/** Something that this machine lacks (exit code 3). */
export const lackingError = (parts: Parts): ForgeError => new ForgeError({ ...parts, exitCode: ExitCode.lacking });
/** A server that failed, answered wrongly or did not become ready (exit code 4). */
export const serverError = (parts: Parts): ForgeError => new ForgeError({ ...parts, exitCode: ExitCode.server });
/** A check that found something (exit code 5). */
export const findingError = (parts: Parts): ForgeError => new ForgeError({ ...parts, exitCode: ExitCode.finding });

/** The text of anything that was thrown, with the messages of its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? messageOf(error.cause) : '';
  const own = error.message === '' && error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error.message;
  return cause === '' || own.includes(cause) ? own : `${own}: ${cause}`;
}
