import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { open, rename, stat, truncate, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import { fileError } from '../../workspace/atomic.js';
import { redact } from '../../workspace/secret.js';
import type { Workspace } from '../../workspace/workspace.js';

/** More than log4j lets a file grow to (10 MB): what rotates by itself is left to it. */
const MAX_BYTES = 11 * 1024 * 1024;
const TAIL_BYTES = 256 * 1024;
const FOLLOW_MS = 200;

export interface LogOptions {
  /** Goes on with what is written from now on, until `signal` is aborted. */
  follow?: boolean;
  /** Only from this moment on. */
  since?: Date;
  /** Only the last so many of those that are there. */
  lines?: number;
  signal?: AbortSignal;
}

export const logFile = (workspace: Workspace, name: string): string => join(workspace.logs, `${name}.log`);

/**
 * The moment of a log line, or undefined for a line without one (it belongs to the line before). Servers run with
 * TZ=UTC and write `2026-11-21 12:40:01,123` (Kafka, Flink, Iceberg, Polaris; in brackets or not) or with a `T` or
 * a point (LocalStack, PostgreSQL).
 */
export function timeOfLine(line: string): Date | undefined {
  const [, day, time, fraction] = /^\W*(?:[A-Z]+\s+)?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?/.exec(line) ?? [];
  if (day === undefined || time === undefined) return undefined;
  const moment = new Date(`${day}T${time}.${(fraction ?? '0').padEnd(3, '0').slice(0, 3)}Z`);
  return Number.isNaN(moment.getTime()) ? undefined : moment;
}

/** Size of a log now: the place from which on it tells of what is started next. */
export async function logSize(workspace: Workspace, name: string): Promise<number> {
  return (await stat(logFile(workspace, name)).catch(() => undefined))?.size ?? 0;
}

async function tail(file: string, from: number): Promise<string[]> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return [];
  try {
    const { size } = await handle.stat();
    const start = Math.max(from > size ? 0 : from, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.filter((line) => line.trim() !== '');
  } finally {
    await handle.close();
  }
}

/** The last lines of a log that hold anything, secrets masked; of its part after `from` only, when that is given. */
export async function lastLogLines(workspace: Workspace, name: string, count: number, from?: number): Promise<string[]> {
  const file = logFile(workspace, name);
  let lines = await tail(file, from ?? 0);
  if (lines.length < count && from === undefined) lines = [...(await tail(`${file}.1`, 0)), ...lines];
  return lines.slice(-count).map((line) => redact(line));
}

const FAILURE = /\b(ERROR|FATAL|PANIC|Error|Exception)\b|Exception:|address already in use/;

const STACK_FRAME = /^\s+(at \S+\(|\.\.\. \d+ (more|common frames))/;

/**
 * What a log tells of a failure: its last 20 lines without Java's stack frames, and where those hold only what was shut
 * down afterwards, the lines at the first error before them. All lines since `from`, for those who look for a certain one.
 */
export async function failureLines(workspace: Workspace, name: string, from: number): Promise<{ excerpt: string[]; all: string[] }> {
  const all = await lastLogLines(workspace, name, Infinity, from);
  const told = all.filter((line) => !STACK_FRAME.test(line));
  const first = told.findIndex((line) => FAILURE.test(line));
  if (first < 0 || first >= told.length - 20) return { excerpt: told.slice(-20), all };
  return { excerpt: [...told.slice(first, first + 8), '…', ...told.slice(-11)], all };
}

/**
 * Moves a log that has grown large aside, as log4j does and into the same names, and empties it. It is copied, not renamed:
 * servers keep it open, and append, so that they may go on running. Of a very large one the end is kept.
 */
export async function rotateLog(workspace: Workspace, name: string, maxBytes = MAX_BYTES): Promise<void> {
  const file = logFile(workspace, name);
  const size = await logSize(workspace, name);
  if (size <= maxBytes) return;
  try {
    for (const index of [2, 1]) if (existsSync(`${file}.${index}`)) await rename(`${file}.${index}`, `${file}.${index + 1}`);
    const start = await startOfLine(file, size - maxBytes);
    await pipeline(createReadStream(file, { start }), createWriteStream(`${file}.1`, { mode: 0o600 }));
    await truncate(file, 0);
  } catch (error) {
    throw fileError(`${file}.1`, error);
  }
}

/** Where the first whole line after a place begins: half a line could hold half a secret, which nobody would mask. */
async function startOfLine(file: string, from: number): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, from - 1);
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    return end < 0 ? from : from + end;
  } finally {
    await handle.close();
  }
}

/** Reads a file as it grows; starts again when it is emptied, and goes over to its successor when it is renamed. */
class Reader {
  #handle: FileHandle | undefined;
  #inode = 0;
  #offset = 0;
  #rest = '';
  #decoder = new StringDecoder('utf8');

  constructor(readonly file: string) {}

  async #chunk(): Promise<string[]> {
    if (this.#handle === undefined) return [];
    const out: string[] = [];
    const { size } = await this.#handle.stat();
    if (size < this.#offset) this.#offset = 0;
    const buffer = Buffer.alloc(64 * 1024);
    while (this.#offset < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#offset += bytesRead;
      const lines = (this.#rest + this.#decoder.write(buffer.subarray(0, bytesRead))).split('\n');
      this.#rest = lines.pop() ?? '';
      out.push(...lines);
    }
    return out;
  }

  /** The lines that were completed since the last call. */
  async read(): Promise<string[]> {
    const lines = await this.#chunk();
    const now = await stat(this.file).catch(() => undefined);
    if (now === undefined || (this.#handle !== undefined && now.ino === this.#inode)) return lines;
    lines.push(...(await this.#chunk()));
    await this.close();
    this.#handle = await open(this.file, 'r').catch(() => undefined);
    this.#inode = now.ino;
    this.#offset = 0;
    return [...lines, ...(await this.#chunk())];
  }

  /** What stands after the last line end. */
  rest(): string[] {
    return this.#rest === '' ? [] : [this.#rest];
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

function sinceFilter(since: Date | undefined): (line: string) => boolean {
  let inside = since === undefined;
  return (line) => {
    const moment = timeOfLine(line);
    if (since !== undefined && moment !== undefined) inside = moment >= since;
    return inside;
  };
}

/** The log of a process, line by line, oldest first, across rotation, secrets masked. */
export async function* readLogs(workspace: Workspace, name: string, options: LogOptions = {}): AsyncGenerator<string> {
  const file = logFile(workspace, name);
  const wanted = sinceFilter(options.since);
  const reader = new Reader(file);
  try {
    const there: string[] = [];
    for (const part of [3, 2, 1].map((index) => `${file}.${index}`).filter((path) => existsSync(path))) {
      const old = new Reader(part);
      there.push(...(await old.read()), ...old.rest());
      await old.close();
    }
    there.push(...(await reader.read()));
    if (options.follow !== true) there.push(...reader.rest());
    const kept = there.filter(wanted);
    for (const line of options.lines === undefined ? kept : options.lines > 0 ? kept.slice(-options.lines) : []) yield redact(line);
    while (options.follow === true && options.signal?.aborted !== true) {
      for (const line of await reader.read()) if (wanted(line)) yield redact(line);
      await delay(FOLLOW_MS, undefined, { signal: options.signal }).catch(() => undefined);
    }
  } finally {
    await reader.close();
  }
}
