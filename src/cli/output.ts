import { redact } from '../workspace/secret.js';

/** How often a live line that nobody can overwrite (a pipe, a CI log) is printed again. */
const PLAIN_LIVE_MS = 10_000;

export interface OutputOptions {
  /** One JSON document and nothing else on stdout; notes on stderr are kept to errors. */
  json: boolean;
  quiet: boolean;
  stdout?: NodeJS.WriteStream;
  stderr?: NodeJS.WriteStream;
}

/** The only way to a person or a script: everything that forge prints passes here, and through `redact`. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether stdout is a terminal that a live display may redraw. */
  readonly interactive: boolean;
  readonly columns: number;
  /** A result for stdout; silent with --json. */
  line(text?: string): void;
  /** Something for a person to know, on stderr; silent with --json and --quiet. */
  note(text: string): void;
  /** One line on stderr that replaces itself; on a pipe it is printed every ten seconds. Silent with --json and --quiet. */
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
  const stdout = options.stdout ?? process.stdout;
  const stderr = options.stderr ?? process.stderr;
  let live = false;
  let lastPlain = 0;

  const liveEnd = (): void => {
    if (live) stderr.write('\n');
    live = false;
  };
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    liveEnd();
    stream.write(`${redact(text)}\n`);
  };

  return {
    json: options.json,
    quiet: options.quiet,
    get interactive() {
      return stdout.isTTY === true && process.env['TERM'] !== 'dumb';
    },
    get columns() {
      return stdout.columns ?? 80;
    },
    line: (text = '') => {
      if (!options.json) write(stdout, text);
    },
    note: (text) => {
      if (!options.json && !options.quiet) write(stderr, text);
    },
    live: (text) => {
      if (options.json || options.quiet) return;
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
