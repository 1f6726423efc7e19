import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { expect, it } from 'vitest';
import { holderOf } from '../../../src/workspace/port-holder.js';

const listen = async (): Promise<{ server: Server; port: number }> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
};
const close = async (server: Server): Promise<void> => void (await once(server.close(), 'close'));

it('tells who listens on a port at this moment, however short ago it was asked for others', async () => {
  const first = await listen();
  expect(holderOf(first.port)?.pid).toBe(process.pid);
  // Come since.
  const second = await listen();
  expect(holderOf(second.port, [process.pid])?.pid).toBe(process.pid);
  // Gone since.
  await close(first.server);
  expect(holderOf(first.port)).toBeUndefined();
  await close(second.server);
  expect(holderOf(second.port)).toBeUndefined();
});

it('does not tell of a process that was killed since', async () => {
  const script = "require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port); })";
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(text.toString());
  expect(holderOf(port)).toMatchObject({ pid: child.pid, command: expect.stringContaining('createServer') as string });
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  expect(holderOf(port)).toBeUndefined();
});
