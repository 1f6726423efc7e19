import http from 'node:http';
import { vi } from 'vitest';
import type { Exchange } from './openapi.js';

const textOf = (chunk: unknown): string =>
  chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : typeof chunk === 'string' ? chunk : '';

/** Calls `use` while every request of forge's HTTP client to this port is written down. */
export async function record(port: number, use: () => Promise<void>): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  const real = http.request.bind(http);
  const spy = vi.spyOn(http, 'request').mockImplementation(((url: URL, options: http.RequestOptions, listener?: Listener) => {
    const request = real(url, options, listener);
    if (url.port !== String(port)) return request;
    let requestBody = '';
    const end = request.end.bind(request);
    request.end = ((body?: unknown) => {
      requestBody = textOf(body);
      return end(body);
    }) as typeof request.end;
    request.on('response', (response) => {
      let responseBody = '';
      // Whoever listens to its data takes them from forge.
      const push = response.push.bind(response);
      response.push = (chunk: unknown): boolean => {
        if (chunk !== null) responseBody += textOf(chunk);
        else
          exchanges.push({
            method: request.method,
            url,
            requestType: String(request.getHeader('content-type') ?? ''),
            requestBody,
            authorized: request.hasHeader('authorization'),
            status: response.statusCode ?? 0,
            responseType: response.headers['content-type'] ?? '',
            responseBody,
          });
        return push(chunk);
      };
    });
    return request;
  }) as typeof http.request);
  try {
    await use();
  } finally {
    spy.mockRestore();
  }
  return exchanges;
}

type Listener = (response: http.IncomingMessage) => void;
