import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeAccess } from './kubernetes-access.js';
import { isKubeError, refusedError, unansweredError } from './kubernetes-error.js';
import { errorCode } from './http.js';

export interface KubeRequest {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  contentType?: string;
  accept?: string;
  /** Plain words for errors: `applying Deployment kafka/kafka`. */
  doing: string;
  signal?: AbortSignal | undefined;
  /** Of one attempt, the body included; 15 s when not given. */
  timeoutMs?: number;
  /** On a connection of its own: those that are kept may be as dead as the watch that fell silent. */
  fresh?: boolean;
}

const ATTEMPTS = 5;
const RESET = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);
/** An apply with a field that the schema does not have is answered with 500 by some versions; it is no fault of the server. */
const MISTAKE = /failed to create typed patch object|field not declared in schema|failed to create manager/;

/**
 * One request, as JSON. What passes (429, 5xx, a reset, a body that breaks off) is tried again, five times in all; every request
 * of forge's may be repeated. An answer that is none of 2xx is a KubeError; an aborted signal throws its reason.
 */
export async function kubeRequest<T>(access: KubeAccess, request: KubeRequest): Promise<T> {
  const text = await kubeText(access, request);
  try {
    return JSON.parse(text) as T;
  } catch {
    const start = text.slice(0, 100).replace(/\s+/g, ' ');
    throw unansweredError(access.server.host, request.doing, `what it said is no JSON: ${start}`);
  }
}

/** As `kubeRequest`, with the answer as it is. */
export async function kubeText(access: KubeAccess, request: KubeRequest): Promise<string> {
  for (let attempt = 1, pause = 100; ; attempt++, pause *= 2) {
    request.signal?.throwIfAborted();
    try {
      return await once(access, request);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (attempt >= ATTEMPTS || !mayPass(error)) throw error;
      const asked = isKubeError(error) ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      await delay(Math.max(pause, Math.min(asked, 5_000)), undefined, { signal: request.signal }).catch((aborted: unknown) => {
        request.signal?.throwIfAborted();
        throw aborted;
      });
    }
  }
}

function mayPass(error: unknown): boolean {
  if (!isKubeError(error)) return false;
  if (error.status === 0) return RESET.has(errorCode(error.cause) ?? '');
  return error.status === 429 || (error.status >= 500 && !MISTAKE.test(error.message));
}

/** A kept connection that gives nothing for so long may be dead (the machine slept, the network changed). */
const SILENT_MS = 5_000;

async function once(access: KubeAccess, request: KubeRequest): Promise<string> {
  const { doing, signal, timeoutMs = 15_000, fresh = false } = request;
  const { sent, answer, agent } = await send(access, request, fresh ? 'stream' : 'request');
  const silent = setTimeout(() => {
    if (!sent.reusedSocket) return;
    dropKept(agent);
    sent.destroy(failure(`no answer for ${SILENT_MS / 1000} s`, 'ECONNRESET'));
  }, SILENT_MS);
  const limit = setTimeout(() => sent.destroy(failure(`timed out after ${timeoutMs / 1000} s`, '')), timeoutMs);
  try {
    const response = await answer;
    const text = await textOf(response);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return text;
    throw refusedError(access.server.host, doing, status, text, Number(response.headers['retry-after']));
  } catch (error) {
    signal?.throwIfAborted();
    throw isKubeError(error) ? error : unansweredError(access.server.host, doing, error);
  } finally {
    clearTimeout(silent);
    clearTimeout(limit);
  }
}

const failure = (message: string, code: string): Error => Object.assign(new Error(message), { code });

/** Connections that wait for the next request. */
function dropKept(agent: https.RequestOptions['agent']): void {
  if (typeof agent !== 'object') return;
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

/** Opens an answer that goes on (a watch, a log); its reader ends it. The signal ends it too. */
export async function kubeStream(access: KubeAccess, request: KubeRequest): Promise<http.IncomingMessage> {
  const { doing, signal, timeoutMs = 15_000 } = request;
  const { sent, answer } = await send(access, request, 'stream');
  const limit = setTimeout(() => sent.destroy(failure(`timed out after ${timeoutMs / 1000} s`, '')), timeoutMs);
  try {
    const response = await answer;
    if (response.statusCode === 200) return response;
    throw refusedError(access.server.host, doing, response.statusCode ?? 0, await textOf(response));
  } catch (error) {
    signal?.throwIfAborted();
    throw isKubeError(error) ? error : unansweredError(access.server.host, doing, error);
  } finally {
    clearTimeout(limit);
  }
}

interface Sent {
  sent: http.ClientRequest;
  answer: Promise<http.IncomingMessage>;
  agent: https.RequestOptions['agent'];
}

async function send(access: KubeAccess, request: KubeRequest, kind: 'request' | 'stream'): Promise<Sent> {
  const { body, contentType, accept, signal } = request;
  const options = await access.options(kind);
  signal?.throwIfAborted();
  // Many requests at once share a signal; that is no leak.
  if (signal) setMaxListeners(0, signal);
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers: http.OutgoingHttpHeaders = {
    ...(options.headers as http.OutgoingHttpHeaders | undefined),
    accept: accept ?? 'application/json',
    ...(payload === undefined ? {} : { 'content-type': contentType ?? 'application/json', 'content-length': payload.length }),
  };
  const url = urlOf(access.server, request);
  const library = url.protocol === 'http:' ? http : https;
  const sent = library.request(url, { ...options, method: request.method ?? 'GET', headers, ...(signal ? { signal } : {}) });
  const answer = new Promise<http.IncomingMessage>((resolve, reject) => void sent.once('response', resolve).on('error', reject));
  answer.catch(() => undefined);
  sent.end(payload);
  return { sent, answer, agent: options.agent };
}

/** A server may stand behind a path (a proxy, a management plane). */
function urlOf(server: URL, { path, query = {} }: KubeRequest): URL {
  const url = new URL(server.pathname.replace(/\/$/, '') + path, server);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
