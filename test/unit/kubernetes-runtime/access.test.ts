import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { leadPorts } from '../../../src/runtimes/kubernetes/access.js';
import { accessRecords, forwardsOf, noteAccess, runningConnect } from '../../../src/runtimes/kubernetes/connect.js';
import type { Forward, Forwards } from '../../../src/runtimes/kubernetes/forward.js';
import { processStartTime } from '../../../src/workspace/identity.js';
import { holderOf } from '../../../src/workspace/port-holder.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { closedPort } from '../../helpers/world.js';
import { scratch } from '../../helpers/folders.js';

let workspace: Workspace;
let forward: Forward;
const opened: (() => unknown)[] = [];
beforeEach(async () => {
  workspace = workspaceAt(scratch());
  await prepareWorkspace(workspace);
  forward = { name: 'kafka', port: await closedPort(), to: { namespace: 'kafka', service: 'kafka', port: 9094 } };
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

/** Another process that listens on the port, and says so in connect.json as `forge connect` would, unless told otherwise. */
async function other(record: object | null = {}): Promise<ChildProcess> {
  const script = `require('net').createServer((s) => s.end('other')).listen(${forward.port}, '127.0.0.1', () => console.log('open'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  opened.push(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const own = { pid: child.pid, startTime: processStartTime(child.pid!), context: 'kind', forwards: [forward] };
  if (record !== null) writeFileSync(path.join(workspace.run, 'connect.json'), JSON.stringify({ ...own, ...record }));
  return child;
}
const lead = async (more: object = {}): Promise<Forwards> => {
  const { signal } = new AbortController();
  const dial = () => Promise.reject(new Error('no pod'));
  const access = await leadPorts({ workspace, context: 'kind', forwards: [forward], dial, signal, ...more });
  opened.unshift(() => access.close());
  return access;
};
const answer = (): Promise<string> =>
  new Promise((done) => {
    let heard = '';
    const socket = connect({ port: forward.port, host: '127.0.0.1' });
    socket.on('data', (part) => (heard += String(part))).on('error', ({ message }) => (heard = message));
    socket.on('close', () => done(heard));
  });

describe('ports that several commands of a workspace use', () => {
  it('are opened, noted while they are open, and forgotten afterwards', async () => {
    const access = await lead();
    expect(holderOf(forward.port)?.pid).toBe(process.pid);
    expect(accessRecords(workspace)).toMatchObject([{ pid: process.pid, context: 'kind', forwards: [forward] }]);
    expect(runningConnect(workspace)).toBeUndefined();
    await access.close();
    expect(accessRecords(workspace)).toEqual([]);
    expect(await answer()).toContain('ECONNREFUSED');
  });

  it('one that another forge leads to the same place is left to it, and taken over when that is killed', async () => {
    const child = await other();
    const access = await lead();
    expect(await answer()).toBe('other');
    child.kill('SIGKILL');
    await expect.poll(() => holderOf(forward.port)?.pid).toBe(process.pid);
    expect(await answer()).toContain('ECONNRESET');
    await access.close();
    expect(await answer()).toContain('ECONNREFUSED');
  });

  it('whoever ends before that leaves the other in peace', async () => {
    await other();
    await (await lead()).close();
    expect(await answer()).toBe('other');
  });

  it('one that is led to another place is waited for, and then refused with who it is', async () => {
    const child = await other({ context: 'elsewhere' });
    const refused = lead();
    await expect(refused).rejects.toMatchObject({ code: 'PORT_TAKEN', hint: expect.stringContaining(`kill ${child.pid}`) as string });
    await expect(refused).rejects.toThrow('(context elsewhere)');
    expect(accessRecords(workspace).map(({ pid }) => pid)).toEqual([child.pid]);
  });

  it('one that follows the stack to its new place in time is used', async () => {
    await other({ forwards: [{ ...forward, to: { ...forward.to, service: 'before' } }] });
    const leading = lead();
    const file = path.join(workspace.run, 'connect.json');
    setTimeout(() => {
      const [record] = accessRecords(workspace);
      writeFileSync(file, JSON.stringify({ ...record, forwards: [forward] }));
    }, 500);
    await leading;
    expect(await answer()).toBe('other');
  });

  it.each([
    ['without a note', null],
    ['whose note is of a process that is gone', { startTime: 'long ago' }],
    ['whose note is damaged', { forwards: 'all' }],
    ['whose note names other ports', { forwards: [] }],
  ])('a stranger %s is refused at once', async (_, record) => {
    await other(record);
    const started = performance.now();
    await expect(lead()).rejects.toMatchObject({ code: 'PORT_TAKEN', message: expect.stringContaining('is taken by process') as string });
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it('before the first up nothing is written', async () => {
    const nowhere = workspaceAt(path.join(scratch(), 'empty'));
    mkdirSync(nowhere.root);
    const forget = await noteAccess(nowhere, { context: 'kind', forwards: [forward], isConnect: false });
    expect(accessRecords(nowhere)).toEqual([]);
    await forget();
  });

  it('Ctrl-C while another one is waited for ends the wait', async () => {
    await other({ context: 'elsewhere' });
    const abort = new AbortController();
    const leading = lead({ signal: abort.signal });
    setTimeout(() => abort.abort(new Error('Ctrl-C')), 300);
    await expect(leading).rejects.toThrow('Ctrl-C');
  });
});

describe('forwardsOf', () => {
  const ports = {
    kafka: 1,
    localstack: 2,
    postgresql: 3,
    catalog: 4,
    'catalog-management': 5,
    flink: 6,
    'flink-sql-gateway': 7,
    risingwave: 8,
  };
  const names = (selection: Parameters<typeof forwardsOf>[0]): string[] =>
    forwardsOf(selection).map(({ name, port, to }) => `${name} ${port} ${to.namespace}/${to.service}:${to.port}`);

  it('are the public ports of the servers that were chosen; Kafka has a listener of its own for this machine', () => {
    expect(names({ catalog: 'polaris', engine: 'risingwave', ports })).toEqual([
      'kafka 1 kafka/kafka:9094',
      'localstack 2 localstack/localstack:4566',
      'postgresql 3 postgresql/postgresql:5432',
      'catalog 4 polaris/polaris:8181',
      'catalog-management 5 polaris/polaris:8182',
      'risingwave 8 risingwave/risingwave:4567',
    ]);
    expect(names({ catalog: 'iceberg-rest', engine: 'flink', ports }).slice(3)).toEqual([
      'catalog 4 iceberg-rest/iceberg-rest:8181',
      'flink 6 flink/flink-jobmanager:8081',
      'flink-sql-gateway 7 flink/flink-sql-gateway:8083',
    ]);
  });

  it('two at once in one process is no case: a stranger of the same process is one', async () => {
    const server = createServer().listen(forward.port, '127.0.0.1');
    await once(server, 'listening');
    opened.push(() => server.close());
    await expect(lead()).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  });
});
