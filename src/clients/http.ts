import { setMaxListeners } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { messageOf, serverError, type ForgeError } from '../errors.js';
import { redact, Secret } from '../workspace/secret.js';

export interface HttpOptions {
  method?: string;
  /** A Secret is revealed on the wire only. */
  headers?: Record<string, string | Secret>;
  body?: string | Uint8Array | URLSearchParams | Secret;
  /** Sent as JSON with its content type; instead of `body`. */
  json?: unknown;
  signal?: AbortSignal;
  /** For the whole exchange, the body included; 10 s when not given. */
  timeoutMs?: number;
}

export interface HttpAnswer {
  status: number;
  /** True for 200 to 299. */
  ok: boolean;
  /** By their names in lower case; one that came several times is joined by commas. */
  headers: Readonly<Record<string, string>>;
  bytes: Uint8Array;
  text: string;
  /** The body as JSON; throws ForgeError BAD_ANSWER (exit 4) when it is none. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names the shape
  json<T>(): T;
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  UND_ERR_SOCKET: 'connection closed by the server',
  ETIMEDOUT: 'timed out',
  UND_ERR_CONNECT_TIMEOUT: 'timed out',
  UND_ERR_HEADERS_TIMEOUT: 'timed out',
  UND_ERR_BODY_TIMEOUT: 'timed out',
  ENOTFOUND: 'host name not known',
  EAI_AGAIN: 'host name not known',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};
const RESET = new Set(['ECONNRESET', 'EPIPE']);

/** The system's error code anywhere in a chain of causes (`ECONNREFUSED`). */
export function errorCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string') return code;
    if (at instanceof AggregateError) return errorCode(at.errors[0]);
  }
  return undefined;
}

/** Why a server could not be reached, in plain words. */
export function reasonOf(error: unknown): string {
  const code = errorCode(error);
  return (code === undefined ? undefined : REASONS[code]) ?? redact(messageOf(error));
}

/** The error for a server that gave no answer (exit 4); `where` is host:port. */
export function unreachableError(where: string, what: string, error: unknown, hint?: string): ForgeError {
  return serverError({
    code: 'UNREACHABLE',
    message: redact(`No answer from ${where}${what === '' ? '' : ` (${what})`}: ${typeof error === 'string' ? error : reasonOf(error)}`),
    hint: hint ?? 'Run `forge status` to see which server is down, and `forge up` to start it',
    cause: typeof error === 'string' ? undefined : error,
  });
}

/** Connections are used again, until the server says or for as long as most servers keep them at least. */
const KEEP = { keepAlive: true, timeout: 4_000 };
const AGENTS = { 'http:': new http.Agent(KEEP), 'https:': new https.Agent(KEEP) };

const reveal = (value: string | Secret): string => (value instanceof Secret ? value.reveal() : value);

/** Node's own client: `fetch` takes four times the processor time for each of the many small requests of a command. */
function exchange(url: URL, options: HttpOptions, method: string, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = new Map(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), reveal(value)]));
  const [body, type] = bodyAndType(options);
  if (type !== undefined && !headers.has('content-type')) headers.set('content-type', type);
  const isTls = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const agent = AGENTS[isTls ? 'https:' : 'http:'];
    const sent = (isTls ? https : http).request(url, { method, headers: Object.fromEntries(headers), agent, signal }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

function bodyAndType({ json, body }: HttpOptions): [body: string | Uint8Array | undefined, type?: string] {
  if (json !== undefined) return [JSON.stringify(json), 'application/json'];
  if (body instanceof URLSearchParams) return [body.toString(), 'application/x-www-form-urlencoded;charset=UTF-8'];
  return [body instanceof Secret ? body.reveal() : body];
}

async function bodyOf(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

async function once(url: URL, options: HttpOptions, method: string, timeoutMs: number): Promise<HttpAnswer> {
  const controller = new AbortController();
  const onAbort = () => controller.abort(options.signal?.reason);
  // Many requests at once share a signal; that is no leak.
  if (options.signal) setMaxListeners(0, options.signal);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => controller.abort(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })), timeoutMs);
  try {
    const response = await exchange(url, options, method, controller.signal);
    const bytes = await bodyOf(response);
    const text = new TextDecoder().decode(bytes);
    const status = response.statusCode ?? 0;
    const headers = Object.entries(response.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]);
    return {
      status,
      ok: status >= 200 && status < 300,
      headers: Object.fromEntries(headers) as Record<string, string>,
      bytes,
      text,
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
      json<T>() {
        try {
          return JSON.parse(text) as T;
        } catch (error) {
          throw serverError({
            code: 'BAD_ANSWER',
            message: redact(
              `${url.host} answered ${method} ${url.pathname} with ${status} and no JSON: ${text.slice(0, 200) || '(empty)'}`,
            ),
            hint: `Is the server on ${url.host} the one that forge started? See \`forge status\``,
            cause: error,
          });
        }
      },
    };
  } catch (error) {
    // Node's client says only that it was told to stop.
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * One HTTP exchange. Every status is an answer; a server that gives none is ForgeError UNREACHABLE (exit 4).
 * An aborted `signal` throws its reason. GET and HEAD are tried once more after a reset, which is what
 * a kept-alive connection to a restarted server looks like.
 */
export async function request(url: string | URL, options: HttpOptions = {}): Promise<HttpAnswer> {
  const target = new URL(url);
  const method = (options.method ?? 'GET').toUpperCase();
  const timeoutMs = options.timeoutMs ?? 10_000;
  const attempts = method === 'GET' || method === 'HEAD' ? 2 : 1;
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    try {
      return await once(target, options, method, timeoutMs);
    } catch (error) {
      options.signal?.throwIfAborted();
      const code = errorCode(error) ?? '';
      if (attempt < attempts && RESET.has(code)) continue;
      const reason = code === 'ETIMEDOUT' ? `timed out after ${timeoutMs / 1000} s` : error;
      throw unreachableError(target.host, `${method} ${target.pathname}`, reason);
    }
  }
}
