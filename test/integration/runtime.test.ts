import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';
import { connectProducer } from '../../src/clients/kafka-produce.js';
import { waitUntil } from '../../src/clients/wait.js';
import { removeData } from '../../src/components/data.js';
import { componentStates } from '../../src/components/status.js';
import { kafkaBootstrap } from '../../src/modules/connect.js';
import { health } from '../../src/modules/health.js';
import { postgresqlDatabase } from '../../src/modules/postgresql-database.js';
import { postgresqlRole } from '../../src/modules/postgresql-role.js';
import { processModule } from '../../src/modules/process.js';
import type { TaskModule } from '../../src/modules/contract.js';
import { processTable } from '../../src/runtimes/process/identify.js';
import { listProcesses, processState } from '../../src/runtimes/process/state.js';
import { stopProcess } from '../../src/runtimes/process/stop.js';
import { isTaken } from '../../src/workspace/ports.js';
import { ownStack } from '../helpers/own-stack.js';
import { contextOf, kafka, sql } from '../helpers/servers.js';
import type { TestWorld } from '../helpers/world.js';

const LIMIT_BYTES = 1.4 * 2 ** 30;
const SERVERS: [component: string, process: string][] = [
  ['kafka', 'kafka'],
  ['localstack', 'localstack'],
  ['postgresql', 'postgresql'],
  ['iceberg-rest', 'iceberg-rest'],
  ['flink', 'flink-jobmanager'],
  ['flink', 'flink-taskmanager'],
];

let world: TestWorld;
beforeAll(async () => {
  world = await ownStack({ cacheDir: inject('cacheDir'), packageRoot: packageRoot() });
});
afterAll(() => world.close());

/** Observes, and applies what is not in sync; tells what was said. */
async function settle(module: TaskModule, args: object): Promise<string> {
  const context = contextOf(world);
  const seen = await module.observe(args, context);
  if (seen.state === 'in-sync') return 'in-sync';
  if (seen.state === 'unknown') throw new Error(seen.reason);
  const said = await module.apply(args, seen, context);
  expect(await module.observe(args, context)).toMatchObject({ state: 'in-sync' });
  return said;
}

const start = ([component, process]: [string, string]): Promise<string> => settle(processModule, { component, process });

async function startAll(): Promise<string[]> {
  const postgresql = start(['postgresql', 'postgresql']);
  const catalog = async (): Promise<string> => {
    await postgresql;
    await settle(postgresqlRole, { name: 'catalog', password: world.stack.credentials.get('catalog-db')['password'] });
    await settle(postgresqlDatabase, { name: 'catalog', owner: 'catalog' });
    return start(['iceberg-rest', 'iceberg-rest']);
  };
  return Promise.all(
    SERVERS.map((server) => (server[0] === 'postgresql' ? postgresql : server[0] === 'iceberg-rest' ? catalog() : start(server))),
  );
}

/** Addresses (hexadecimal, as the kernel writes them) that these processes listen on. */
function listening(pids: number[]): string[] {
  const sockets = new Set(
    pids.flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
          return '';
        }
      }),
    ),
  );
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1));
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return fields.filter((row) => row[3] === '0A' && sockets.has(`socket:[${row[9]}]`)).map((row) => row[1]?.split(':')[0] ?? '');
}

describe('the servers of the stack', () => {
  it('die with a reason when what they need is not there', async () => {
    const before = Date.now();
    await expect(start(['iceberg-rest', 'iceberg-rest'])).rejects.toMatchObject({
      code: 'SERVER_DIED',
      message: expect.stringMatching(/Failed to connect: jdbc:postgresql.*Connection refused/s) as string,
    });
    expect(Date.now() - before).toBeLessThan(30_000);
  });

  it('start all at once, answer, and stay small', async () => {
    const said = await startAll();
    expect(said.filter((text) => !text.endsWith('started'))).toEqual([]);
    expect(await startAll()).toEqual(SERVERS.map(() => 'in-sync'));
    const states = await componentStates(world.stack, undefined, { memory: true });
    expect(states.map(({ name, state }) => [name, state])).toEqual(
      ['kafka', 'localstack', 'postgresql', 'iceberg-rest', 'flink'].map((name) => [name, 'running']),
    );
    expect(states.reduce((sum, { residentBytes }) => sum + residentBytes, 0)).toBeLessThan(LIMIT_BYTES);
    expect(await settle(health, { component: 'flink' })).toBe('in-sync');
  });

  it('listen on the loopback interface only, each on its ports', async () => {
    for (const { name, pids } of await listProcesses(world.stack.workspace)) {
      const addresses = listening(pids);
      expect({ name, listens: addresses.length > 0 }).toEqual({ name, listens: true });
      const LOOPBACK = ['0100007F', '0000000000000000FFFF00000100007F', '00000000000000000000000001000000'];
      expect({ name, beyond: addresses.filter((address) => !LOOPBACK.includes(address)) }).toEqual({ name, beyond: [] });
    }
  });

  it('are mended after kill -9, and lose nothing that was acknowledged', async () => {
    await kafka(world, (admin) => admin.createTopic({ name: 'kept', partitions: 1 }));
    const producer = await connectProducer(kafkaBootstrap(contextOf(world)), 'kept');
    await producer.send(Array.from({ length: 100 }, (_, at) => ({ key: 'k', value: String(at) })));
    await producer.close();
    await sql(world, 'CREATE TABLE kept AS SELECT generate_series(1, 100) AS n');
    for (const [component, name] of SERVERS) {
      const { pid } = await processState(world.stack.workspace, name);
      process.kill(pid ?? 0, 'SIGKILL');
      await waitUntil(async () => !(await processTable()).has(pid ?? 0), { what: `${name} to end`, timeoutMs: 5000 });
      expect(await processModule.observe({ component, process: name }, contextOf(world))).toMatchObject({
        state: 'missing',
        message: expect.stringMatching(/^died/) as string,
      });
      const [state] = (await componentStates(world.stack)).filter((candidate) => candidate.name === component);
      expect(state).toMatchObject({ state: component === 'flink' ? 'degraded' : 'dead', reason: expect.stringContaining(name) as string });
      expect(await start([component, name])).toMatch(/died.*; started$/s);
    }
    expect(await kafka(world, (admin) => admin.count('kept'))).toBe(100);
    expect(await sql(world, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 100 }]);
    expect(await startAll()).toEqual(SERVERS.map(() => 'in-sync'));
  });

  it('leave no process, no port and no file when they are stopped and their data removed', async () => {
    // One more than was asked for may run: the SQL gateway starts beside the JobManager.
    const running = await listProcesses(world.stack.workspace);
    const pids = running.flatMap((state) => state.pids);
    expect(running.map(({ name }) => name)).toEqual(expect.arrayContaining(SERVERS.map(([, name]) => name)));
    for (const { name } of running) await stopProcess(world.stack.workspace, name);
    const table = await processTable();
    expect(pids.filter((pid) => table.has(pid))).toEqual([]);
    const taken = await Promise.all(Object.values(world.stack.ports).map(async (port) => ((await isTaken(port)) ? port : undefined)));
    expect(taken.filter((port) => port !== undefined)).toEqual([]);
    expect(await listProcesses(world.stack.workspace)).toEqual([]);
    await removeData(world.stack);
    expect(readdirSync(world.stack.workspace.data)).toEqual([]);
    expect(existsSync(`/var/lib/forge/${world.stack.workspace.id}`)).toBe(false);
  });
});
