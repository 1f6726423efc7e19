import { redact } from '../workspace/secret.js';
import type { OutputFormat } from './argv.js';
import { sayOnDisplay } from './display.js';

/** How often a live line that nobody can overwrite (a pipe, a CI log) is printed again. */
const PLAIN_LIVE_MS = 10_000;

/** What is used of stdout and stderr; a pipe has neither a width nor a terminal. */
export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

export interface OutputOptions {
  /** With json and ndjson nothing but documents goes to stdout, and nothing but errors to stderr. */
  format: OutputFormat;
  quiet: boolean;
  /** For a command whose result is secrets (`env`): stdout is not masked. */
  reveal?: boolean;
  stdout?: Sink;
  stderr?: Sink;
}

/** The only way to a person or a script: everything that forge prints passes here, and through `redact`. */
export interface Output {
  readonly format: OutputFormat;
  readonly quiet: boolean;
  /** Whether stdout is a terminal that a live display may redraw. */
  readonly interactive: boolean;
  readonly columns: number;
  /** A result for stdout; silent unless the format is text. */
  line(text?: string): void;
  /** Something for a person to know, on stderr; silent unless the format is text, and with --quiet. */
  note(text: string): void;
  /** One line on stderr that replaces itself; on a pipe it is printed every ten seconds. Silent like `note`. */
  live(text: string): void;
  /** Ends the live line, so that the next text starts on a line of its own. */
  liveEnd(): void;
  /** One JSON document on stdout, over several lines. */
  document(value: unknown): void;
  /** One JSON document on one line of stdout (NDJSON). */
  record(value: unknown): void;
  /** An error on stderr, whatever the flags are. */
  error(text: string): void;
}

/** Makes an output for stdout and stderr of this process, or for streams that a test gives. */
export function createOutput(options: OutputOptions): Output {
  const stdout: Sink = options.stdout ?? process.stdout;
  const stderr: Sink = options.stderr ?? process.stderr;
  let live = false;
  let lastPlain = 0;

  const liveEnd = (): void => {
    if (live) stderr.write('\n');
    live = false;
  };
  const write = (stream: Sink, text: string): void => {
    liveEnd();
    stream.write(`${options.reveal && stream === stdout ? text : redact(text)}\n`);
  };
  const silent = options.format !== 'text' || options.quiet;

  return {
    format: options.format,
    quiet: options.quiet,
    get interactive() {
      return stdout.isTTY === true && process.env['TERM'] !== 'dumb';
    },
    get columns() {
      return stdout.columns ?? 80;
    },
    line: (text = '') => {
      if (options.format === 'text') write(stdout, text);
    },
    note: (text) => {
      if (silent || (stderr.isTTY && sayOnDisplay(redact(text)))) return;
      write(stderr, text);
    },
    live: (text) => {
      if (silent) return;
      if (stderr.isTTY) {
        // One column is left free: a full line would wrap, and the return would not reach its start.
        stderr.write(`\r\u001B[2K${redact(text).slice(0, (stderr.columns ?? 80) - 1)}`);
        live = true;
      } else if (Date.now() - lastPlain >= PLAIN_LIVE_MS) {
        // The first one waits as well: a short run needs no progress.
        if (lastPlain > 0) write(stderr, text);
        lastPlain = Date.now();
      }
    },
    liveEnd,
    document: (value) => write(stdout, JSON.stringify(value, undefined, 2)),
    record: (value) => write(stdout, JSON.stringify(value)),
    error: (text) => write(stderr, text),
  };
}
