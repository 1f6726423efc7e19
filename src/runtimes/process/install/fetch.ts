import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { reasonOf } from '../../../clients/http.js';

const CONNECT_MS = 5_000;
/** A server that sends nothing for so long will not go on. */
const SILENT_MS = 60_000;

export interface FetchOptions {
  signal?: AbortSignal | undefined;
  /** Bytes that are there, those of earlier downloads too, and of how many; the total is 0 when the server does not say. */
  onBytes?: (done: number, total: number) => void;
  /** For tests. */
  silentMs?: number;
}

/** Fetches into `file`, going on where an interrupted download ended; what was fetched stays whatever happens. The caller checks the sum. */
export async function fetchInto(url: string, file: string, { signal, onBytes, silentMs = SILENT_MS }: FetchOptions): Promise<void> {
  const have = await lengthOf(file);
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const within = (milliseconds: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(new Error('timed out')), milliseconds);
  };
  try {
    signal?.throwIfAborted();
    within(CONNECT_MS);
    // Compressed on the way, the bytes would be others than those that are counted.
    const headers = { 'accept-encoding': 'identity', ...(have > 0 ? { range: `bytes=${have}-` } : {}) };
    const response = await fetch(url, { headers, signal: stop.signal });
    within(silentMs);
    // 416: everything was there already; the checksum decides.
    if (response.status === 416) return;
    if (!response.ok || response.body === null) throw new Error(`${new URL(url).host} answers ${response.status}`);
    const resumed = response.status === 206;
    let done = resumed ? have : 0;
    const length = Number(response.headers.get('content-length') ?? 0);
    const total = length === 0 ? 0 : done + length;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        within(silentMs);
        onBytes?.((done += chunk.length), total);
        next(null, chunk);
      },
    });
    const body = Readable.fromWeb(response.body);
    await pipeline(body, count, createWriteStream(file, { flags: resumed ? 'a' : 'w' }), { signal: stop.signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(`${url}: ${reasonOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The length of a file, 0 when it is not there. */
export const lengthOf = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.size ?? 0;

export async function digestOf(file: string, algorithm: 'sha256' | 'sha512'): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
