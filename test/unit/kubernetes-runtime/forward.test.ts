import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { openForwards, type Dial, type Forwards } from '../../../src/runtimes/kubernetes/forward.js';
import { closedPort } from '../../helpers/world.js';

const to = { namespace: 'kafka', service: 'kafka', port: 9094 };
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

/** A server in place of a pod, and the way to it. */
async function pod(serve: (socket: Socket) => void): Promise<Dial> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    opened.push(() => socket.destroy());
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return async () => {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return socket;
  };
}

async function forwardTo(dial: Dial): Promise<{ port: number; forwards: Forwards }> {
  const port = await closedPort();
  const forwards = await openForwards([{ name: 'kafka', port, to }], dial);
  opened.unshift(() => forwards.close());
  return { port, forwards };
}

interface Heard {
  bytes: Buffer;
  error?: string | undefined;
  ms: number;
}
/** Connects, does something, and gives what was heard until the end. */
function talk(port: number, act: (socket: Socket) => void = () => undefined): Promise<Heard> {
  const started = performance.now();
  const parts: Buffer[] = [];
  let error: string | undefined;
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('data', (part: Buffer) => parts.push(part)).on('error', (failure: NodeJS.ErrnoException) => (error = failure.code));
  act(socket);
  return new Promise((done) => {
    socket.once('close', () => done({ bytes: Buffer.concat(parts), error, ms: performance.now() - started }));
  });
}

describe('a port that is led to a pod', () => {
  it('carries both directions, whatever their size', async () => {
    const { port } = await forwardTo(await pod((socket) => socket.pipe(socket)));
    const sent = randomBytes(3_000_000);
    const { bytes, error } = await talk(port, (socket) => {
      let left = sent.length;
      socket.write(sent);
      socket.on('data', (part: Buffer) => {
        left -= part.length;
        if (left === 0) socket.destroy();
      });
    });
    expect(error).toBeUndefined();
    expect(bytes.equals(sent)).toBe(true);
  });

  it('loses nothing of what a pod says before it ends, though the client reads late', async () => {
    const said = randomBytes(4_000_000);
    const { port } = await forwardTo(await pod((socket) => socket.end(said)));
    const { bytes, error } = await talk(port, (socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 300);
    });
    expect({ error, size: bytes.length }).toEqual({ error: undefined, size: said.length });
    expect(bytes.equals(said)).toBe(true);
  });

  it('gives the answer to a client that has said all and waits', async () => {
    const dial = await pod((socket) => socket.on('data', () => setTimeout(() => socket.write('late answer'), 100)));
    const { port } = await forwardTo(dial);
    const { bytes } = await talk(port, (socket) => socket.end('question'));
    expect(bytes.toString()).toBe('late answer');
  });

  it.each<[string, Dial]>([
    ['there is no pod', () => Promise.reject(new Error('no pod'))],
    ['nobody can be asked', () => Promise.reject(new Error('connection refused'))],
  ])('a connection is reset at once when %s', async (_, dial) => {
    const { port } = await forwardTo(dial);
    const { error, ms } = await talk(port);
    expect(error).toBe('ECONNRESET');
    expect(ms).toBeLessThan(1_000);
  });

  it('a pod that breaks off is a reset, not an end', async () => {
    let inside: Duplex | undefined;
    const dial = await pod((socket) => socket.write('begun'));
    const { port } = await forwardTo(async (...args) => (inside = await dial(...args)));
    const { bytes, error } = await talk(port, (socket) => socket.once('data', () => inside?.destroy(new Error('cut off'))));
    expect([bytes.toString(), error]).toEqual(['begun', 'ECONNRESET']);
  });

  it('a pod that has broken off before it is led to is a reset too', async () => {
    const dial = await pod((socket) => socket.write('begun'));
    const { port } = await forwardTo(async (...args) => {
      const inside = await dial(...args);
      inside.on('error', () => undefined).destroy(new Error('cut off'));
      await once(inside, 'close');
      return inside;
    });
    const { bytes, error, ms } = await talk(port);
    expect([bytes.toString(), error]).toEqual(['', 'ECONNRESET']);
    expect(ms).toBeLessThan(1_000);
  });

  it('a client that goes away takes its pod with it, and whoever is still looking for one stops at the close', async () => {
    let gone = 0;
    const dial = await pod((socket) => socket.on('close', () => gone++).on('end', () => socket.end()));
    const open = await forwardTo(dial);
    await talk(open.port, (socket) => setTimeout(() => socket.destroy(), 100));
    await expect.poll(() => gone).toBe(1);

    let asked: AbortSignal | undefined;
    const looking = await forwardTo((_, signal) => {
      asked = signal;
      return new Promise(() => undefined);
    });
    const talking = talk(looking.port);
    await expect.poll(() => asked?.aborted).toBe(false);
    await looking.forwards.close();
    await talking;
    expect(asked?.aborted).toBe(true);
  });

  it('closing ends what is going on, and the port is free again', async () => {
    const { port, forwards } = await forwardTo(await pod((socket) => socket.write('begun')));
    const talking = talk(port, (socket) => socket.once('data', () => void forwards.close()));
    expect((await talking).bytes.toString()).toBe('begun');
    const again = createServer().listen(port, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });

  it('with one port taken none is open, and its holder is named', async () => {
    const [free, taken] = [await closedPort(), await closedPort()];
    const stranger = createServer().listen(taken, '127.0.0.1');
    await once(stranger, 'listening');
    opened.push(() => stranger.close());
    const both = [
      { name: 'localstack', port: free, to },
      { name: 'kafka', port: taken, to },
    ];
    const refused = openForwards(both, () => Promise.reject(new Error('not asked')));
    await expect(refused).rejects.toMatchObject({ code: 'PORT_TAKEN', exitCode: 3 });
    await expect(refused).rejects.toThrow(new RegExp(`^Port ${taken} on this machine, which leads to kafka .* process ${process.pid} `));
    expect((await talk(free)).error).toBe('ECONNREFUSED');
  });
});
