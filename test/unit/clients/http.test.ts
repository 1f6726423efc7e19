import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../../../src/clients/http.js';
import { waitUntil } from '../../../src/clients/wait.js';
import { Secret } from '../../../src/workspace/secret.js';

const open: Server[] = [];
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function freePort(): Promise<number> {
  const server = createTcp().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('request', () => {
  it('returns every status with text and JSON', async () => {
    const url = await serve((_, answer) => answer.writeHead(409).end('{"a":1}'));
    const answer = await request(url);
    expect([answer.status, answer.ok, answer.text, answer.json()]).toEqual([409, false, '{"a":1}', { a: 1 }]);
  });

  it('sends JSON and reveals secrets on the wire', async () => {
    const url = await serve((incoming, answer) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('end', () =>
        answer.end(JSON.stringify([incoming.method, incoming.headers.authorization, incoming.headers['content-type'], body])),
      );
    });
    const answer = await request(url, { method: 'post', json: { x: 1 }, headers: { authorization: new Secret('Bearer abcdefgh') } });
    expect(answer.json()).toEqual(['POST', 'Bearer abcdefgh', 'application/json', '{"x":1}']);
  });

  it('names host, port and reason when nothing listens, without a secret of the address', async () => {
    const port = await freePort();
    new Secret('topsecretvalue');
    await expect(request(`http://127.0.0.1:${port}/a/topsecretvalue`)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      exitCode: 4,
      message: `No answer from 127.0.0.1:${port} (GET /a/***): connection refused`,
    });
  });

  it('times out on a server that says nothing', async () => {
    const url = await serve(() => {});
    await expect(request(url, { timeoutMs: 60 })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/timed out after 0.06 s$/),
    });
  });

  it('tries a GET again after a reset, and a POST not', async () => {
    let calls = 0;
    const url = await serve((incoming, answer) => (++calls % 2 === 1 ? incoming.socket.destroy() : answer.end('ok')));
    expect((await request(url)).text).toBe('ok');
    await expect(request(url, { method: 'POST' })).rejects.toMatchObject({ message: expect.stringMatching(/connection (reset|closed)/) });
    expect(calls).toBe(3);
  });

  it('throws the reason of an aborted signal', async () => {
    const url = await serve(() => {});
    const controller = new AbortController();
    const reason = new Error('interrupted');
    const answer = request(url, { signal: controller.signal });
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
  });

  it('says which server answered something that is no JSON', async () => {
    const url = await serve((_, answer) => answer.end('<html>'));
    const answer = await request(url);
    expect(() => answer.json()).toThrow(/answered GET \/ with 200 and no JSON: <html>/);
  });
});

describe('waitUntil', () => {
  it('returns the first value that is one, and passes errors on', async () => {
    let calls = 0;
    expect(await waitUntil(async () => (++calls < 3 ? undefined : calls), { what: 'three', everyMs: 1 })).toBe(3);
    await expect(waitUntil(() => Promise.reject(new Error('broken')), { what: 'x' })).rejects.toThrow('broken');
  });

  it('names what it waited for, and ends with the signal', async () => {
    await expect(waitUntil(async () => false, { what: 'the moon', timeoutMs: 5, everyMs: 1 })).rejects.toThrow(/for the moon/);
    await expect(waitUntil(async () => false, { what: 'x', signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  });
});
