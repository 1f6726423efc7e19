import type { Exchange } from './openapi.js';

/** Calls `use` while every request to this port that goes through fetch is written down. */
export async function record(port: number, use: () => Promise<void>): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  const real = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    if (new URL(request.url).port !== String(port)) return real(request);
    const requestBody = await request.clone().text();
    const response = await real(request);
    exchanges.push({
      method: request.method,
      url: new URL(request.url),
      requestType: request.headers.get('content-type') ?? '',
      requestBody,
      authorized: request.headers.has('authorization'),
      status: response.status,
      responseType: response.headers.get('content-type') ?? '',
      responseBody: await response.clone().text(),
    });
    return response;
  };
  try {
    await use();
  } finally {
    globalThis.fetch = real;
  }
  return exchanges;
}
