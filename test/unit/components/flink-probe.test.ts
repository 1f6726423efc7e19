import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { taskmanagerProbe } from '../../../src/components/flink/probe.js';
import { processTable } from '../../../src/runtimes/process/identify.js';
import { runFile } from '../../../src/runtimes/process/state.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

const STARTED = Date.parse('2026-11-29T12:00:00Z');
let server: Server;
let heard: number[] = [];
let context: StackContext;

beforeEach(async () => {
  const workspace = workspaceAt(scratch());
  mkdirSync(workspace.run, { recursive: true });
  server = createServer((_request, response) => {
    response.end(JSON.stringify({ taskmanagers: heard.map((at) => ({ id: 'taskmanager', timeSinceLastHeartbeat: at })) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context = { workspace, ports: { flink: (server.address() as AddressInfo).port } } as unknown as StackContext;
});
afterEach(() => server.close());

/** As if this very process were the TaskManager. */
async function recordStart(): Promise<void> {
  const { workspace } = context;
  const name = 'flink-taskmanager';
  const { started } = (await processTable()).get(process.pid)!;
  const record = { pid: process.pid, started, startedAt: new Date(STARTED).toISOString(), name, run: realpathSync(workspace.run), log: 0 };
  writeFileSync(runFile(workspace, name), JSON.stringify(record));
}

const holds = () => taskmanagerProbe(context).check(AbortSignal.timeout(5_000));

test('a TaskManager that was killed and is not missed yet is not the one that was just started', async () => {
  await recordStart();
  heard = [STARTED - 2_000];
  expect(await holds()).toBe(false);
  heard = [STARTED - 2_000, STARTED + 1_000];
  expect(await holds()).toBe(true);
  // Registered, and not asked yet.
  heard = [0];
  expect(await holds()).toBe(true);
  heard = [];
  expect(await holds()).toBe(false);
});

test('where nobody knows when it was started, any counts', async () => {
  heard = [STARTED - 2_000];
  expect(await holds()).toBe(true);
});
