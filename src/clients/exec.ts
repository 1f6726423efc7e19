import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { ForgeError, ExitCode, lackingError } from '../errors.js';
import { redact } from '../workspace/secret.js';

export interface RunOptions {
  cwd?: string;
  /** The whole environment of the command; without it, forge's own. */
  env?: NodeJS.ProcessEnv;
  /** On abort the command and everything that it started is ended, then the signal's reason is thrown. */
  signal?: AbortSignal;
  input?: string;
  /** A file that a tied command reads as its input. */
  inputFile?: string;
  /** Runs it as this user; only root may ask for another than itself. */
  user?: { uid: number; gid: number } | undefined;
  timeoutSeconds?: number;
  /** Every line of both outputs, as it comes. */
  onLine?: (line: string) => void;
  /** Ends the command also when forge itself is killed (kill -9). Cannot be combined with `input`, but with `inputFile`. */
  tied?: boolean;
}

export interface RunResult {
  stdout: string;
  stderr: string;
  /** 128 + signal number when a signal ended it. */
  exitCode: number;
  durationMs: number;
}

/** Time between the polite signal and the one that cannot be refused. */
const GRACE_MS = 3000;

// A pipe from forge that reaches its end means that forge is gone, however it went: then the whole group goes.
const TIE = `input=$1
shift
exec 3<&0
"$@" <"$input" 3<&- &
child=$!
( cat <&3 >/dev/null; kill -9 0 ) 2>/dev/null &
tie=$!
exec 3<&-
wait "$child"
code=$?
kill "$tie" 2>/dev/null
exit "$code"`;

/** The file that a command name stands for, looked for as a shell does. */
export function findProgram(command: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const candidates = command.includes('/')
    ? [command]
    : (env['PATH'] ?? '').split(path.delimiter).map((folder) => path.join(folder, command));
  return candidates.find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a command to its end, in a process group of its own, and returns what it said whatever its exit code.
 * Throws ForgeError COMMAND_MISSING, COMMAND_TIMED_OUT, and the signal's reason.
 */
export async function tryRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { cwd, env = process.env, signal, input, inputFile = '/dev/null', user, timeoutSeconds, onLine, tied = false } = options;
  signal?.throwIfAborted();
  const program = findProgram(command, env);
  if (program === undefined) throw commandMissing(command);
  const { execa } = await import('execa');
  signal?.throwIfAborted();
  const started = performance.now();
  const [file, list] = tied ? ['/bin/sh', ['-c', TIE, 'sh', inputFile, program, ...args]] : [program, args];
  const child = execa(file, list, {
    cwd,
    env,
    extendEnv: false,
    detached: true,
    reject: false,
    stripFinalNewline: false,
    stdin: tied ? 'pipe' : input === undefined ? 'ignore' : 'pipe',
    ...(input === undefined ? {} : { input }),
    ...user,
  });
  const state = { timedOut: false };
  let kill: NodeJS.Timeout | undefined;
  const end = (): void => {
    signalGroup(child.pid, 'SIGTERM');
    kill = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS);
  };
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(() => ((state.timedOut = true), end()), timeoutSeconds * 1000);
  signal?.addEventListener('abort', end, { once: true });
  if (onLine !== undefined) for (const stream of [child.stdout, child.stderr]) eachLine(stream, onLine);
  try {
    const result = await child;
    signal?.throwIfAborted();
    if (state.timedOut) throw timeOut(commandLine(command, args), timeoutSeconds ?? 0, tail(result.stdout, result.stderr));
    if (result.exitCode === undefined && result.signal === undefined) throw notStarted(command, cwd, result.cause ?? result);
    const exitCode = result.exitCode ?? 128 + (result.signal === 'SIGKILL' ? 9 : 15);
    return { stdout: result.stdout, stderr: result.stderr, exitCode, durationMs: performance.now() - started };
  } finally {
    clearTimeout(timer);
    // The command may be gone while something that it started is not.
    if (kill !== undefined) signalGroup(child.pid, 'SIGKILL');
    clearTimeout(kill);
    signal?.removeEventListener('abort', end);
  }
}

/** Like `tryRun`, but an exit code other than 0 is a ForgeError EXEC_FAILED with the last lines of the output. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await tryRun(command, args, options);
  if (result.exitCode !== 0)
    throw new ForgeError({
      code: 'EXEC_FAILED',
      message: redact(`${commandLine(command, args)} ended with exit code ${result.exitCode}${tail(result.stdout, result.stderr)}`),
      hint: 'See the lines above; the command can be run by hand for the whole of its output',
      exitCode: ExitCode.server,
    });
  return result;
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone.
  }
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  });
  stream.on('end', () => rest !== '' && onLine(rest));
}

/** Short and readable: a command line of many arguments would hide the error that follows it. */
const commandLine = (command: string, args: readonly string[]): string => {
  const line = [path.basename(command), ...args].join(' ');
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
};

function tail(stdout: string, stderr: string, lines = 10): string {
  const text = (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(-lines).join('\n').trim();
  return text === '' ? '' : `:\n${text.slice(-4000)}`;
}

const commandMissing = (command: string): ForgeError =>
  lackingError({
    code: 'COMMAND_MISSING',
    message: command.includes('/') ? `${command} is not there, or is no program` : `There is no program ${command} on this machine (PATH)`,
    hint: `Install ${path.basename(command)}, or add its folder to PATH`,
  });

const notStarted = (command: string, cwd: string | undefined, cause: unknown): ForgeError =>
  lackingError({
    code: 'EXEC_NOT_STARTED',
    message: redact(
      `${command} could not be started${cwd === undefined ? '' : ` in ${cwd}`}: ${cause instanceof Error ? cause.message : String(cause)}`,
    ),
    hint: 'Check the program and the working directory',
    cause,
  });

const timeOut = (line: string, seconds: number, lines: string): ForgeError =>
  new ForgeError({
    code: 'COMMAND_TIMED_OUT',
    message: redact(`${line} did not end within ${seconds} s and was stopped${lines}`),
    hint: 'Try again; the machine or its network may be slow',
    exitCode: ExitCode.server,
  });
