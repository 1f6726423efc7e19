import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ComponentState } from '../../../src/components/status.js';
import { configSchema, DEFAULT_PORTS } from '../../../src/config/schema.js';
import type { StackPlace, Trouble } from '../../../src/doctor/check.js';
import { portTaken } from '../../../src/doctor/checks/machine/ports.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

let stranger: Server;
let port: number;
beforeEach(async () => {
  stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', () => resolve()));
  ({ port } = stranger.address() as AddressInfo);
});
afterEach(() => void stranger.close());

interface Given {
  runtime?: 'process' | 'k3d';
  state?: ComponentState['state'];
  /** Before the first `up`, with this port set by hand or not. */
  before?: { ordered: boolean };
}

/** A stack of which Kafka's port is held by this test, and all others are free. */
function look({ runtime = 'process', state = 'dead', before }: Given): Promise<Trouble[]> {
  // Nobody serves on port 1.
  const ports = { ...Object.fromEntries(Object.keys(DEFAULT_PORTS).map((name) => [name, 1])), kafka: port };
  const config = configSchema.parse(before?.ordered === true ? { ports: { kafka: port } } : {});
  const workspace = workspaceAt(scratch());
  const stack = { stack: 'balloon-popper', runtime, engine: 'flink', catalog: 'iceberg-rest', ports, config, workspace };
  const states = [{ name: 'kafka', state, endpoint: '', residentBytes: 0, ...(state === 'running' ? { pids: [1] } : {}) }];
  const place = {
    stack,
    workspace,
    isKnown: before === undefined,
    states: () => Promise.resolve(states),
    share: (_key: string, make: () => unknown) => make(),
    signal: new AbortController().signal,
  };
  return portTaken.look(place as unknown as StackPlace);
}

test.each<[string, Given]>([
  ['a server that died', {}],
  ['a cluster that is stopped', { runtime: 'k3d', state: 'stopped' }],
  ['a port that somebody has set, before the first up', { before: { ordered: true }, state: 'stopped' }],
])('%s: the port and who holds it are named', async (_what, given) => {
  const [found, ...others] = await look(given);
  expect(others).toEqual([]);
  expect(found?.title).toBe(`Port ${port} (kafka) is held by somebody else`);
  expect(found?.cause).toContain(`process ${process.pid} (`);
});

test.each<[string, Given]>([
  ['a server that runs', { state: 'running' }],
  ['a cluster of which something runs', { runtime: 'k3d', state: 'running' }],
  ['a default port before the first up, which would move', { before: { ordered: false }, state: 'stopped' }],
])('%s: nothing to be told', async (_what, given) => expect(await look(given)).toEqual([]));

test.runIf(process.platform === 'linux')('an address that is none of loopback is in nobody’s way', async () => {
  await new Promise<void>((resolve) => stranger.close(() => resolve()));
  const elsewhere = createServer();
  await new Promise<void>((resolve) => elsewhere.listen(port, '127.0.0.2', () => resolve()));
  try {
    expect(await look({})).toEqual([]);
  } finally {
    elsewhere.close();
  }
});
