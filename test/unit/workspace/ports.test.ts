import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_PORTS, PORT_NAMES, type PortName } from '../../../src/config/schema.js';
import { writeKept } from '../../../src/workspace/kept.js';
import { withClaims } from '../../../src/workspace/port-claims.js';
import { holderOf } from '../../../src/workspace/port-holder.js';
import { allocatePorts, isTaken, type Allocation, type AllocationRequest } from '../../../src/workspace/ports.js';
import { prepareWorkspace, workspaceAt, type Workspace } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port, ipv6Only: host === '::1' }, resolve));
  return (server.address() as { port: number }).port;
}

/** A number at which so many ports in a row are free. */
async function freeRow(length: number): Promise<number> {
  for (let start = 30_000 + Math.floor(Math.random() * 20) * 100; ; start += length) {
    const taken = await Promise.all(Array.from({ length }, (_, index) => isTaken(start + index)));
    if (!taken.includes(true)) return start;
  }
}

/** Everything at free ports of its own, so that a test does not depend on what runs on this machine. */
async function keptPorts(): Promise<Record<PortName, number>> {
  const start = await freeRow(40);
  return Object.fromEntries(PORT_NAMES.map((name, index) => [name, start + 3 * index])) as Record<PortName, number>;
}

const allocate = (request: Partial<AllocationRequest>): Promise<Allocation> =>
  allocatePorts({ ordered: {}, kept: {}, isOurs: () => false, ...request });

describe('a port is taken', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('by a listener on %s, which is named', async (host) => {
    const port = await listen(host);
    expect(await isTaken(port)).toBe(true);
    const holder = holderOf(port);
    expect(holder?.pid).toBe(process.pid);
    expect(holder?.command).toContain('node');
  });

  it('by nobody, when it is free', async () => {
    const port = await freeRow(1);
    expect(holderOf(port)).toBeUndefined();
    expect(await isTaken(port)).toBe(false);
  });
});

describe('allocatePorts', () => {
  it('kept ports stay; running again changes nothing', async () => {
    const kept = await keptPorts();
    expect(await allocate({ kept })).toEqual({ ports: kept, moved: [] });
  });

  it('a kept port stays while our own server listens on it, and moves when a stranger does', async () => {
    const kept = await keptPorts();
    kept.kafka = await listen();
    expect((await allocate({ kept, isOurs: (port) => port === kept.kafka })).moved).toEqual([]);
    const { ports, moved } = await allocate({ kept });
    expect(moved).toEqual([
      { name: 'kafka', from: kept.kafka, to: ports.kafka, holder: expect.stringContaining(`pid ${process.pid}`) as string },
    ]);
    expect(await isTaken(ports.kafka)).toBe(false);
    expect({ ...ports, kafka: 0 }).toEqual({ ...kept, kafka: 0 });
  });

  it('a port that moves steps over those that the others want', async () => {
    const kept = await keptPorts();
    await listen('127.0.0.1', kept.kafka);
    Object.assign(kept, { flink: kept.kafka + 1, 'flink-rpc': kept.kafka + 2 });
    const { ports, moved } = await allocate({ kept });
    expect(moved.map(({ name }) => name)).toEqual(['kafka']);
    expect(ports.kafka).toBeGreaterThan(kept.kafka + 2);
    expect(new Set(Object.values(ports)).size).toBe(PORT_NAMES.length);
  });

  it('without anything kept, the ports are the defaults or moved ones, all different', async () => {
    const { ports, moved } = await allocate({});
    for (const name of PORT_NAMES) {
      const move = moved.find((one) => one.name === name);
      expect(ports[name]).toBe(move?.to ?? DEFAULT_PORTS[name]);
    }
    expect(new Set(Object.values(ports)).size).toBe(PORT_NAMES.length);
  });

  it('an ordered port wins over a kept one, whose owner moves', async () => {
    const kept = await keptPorts();
    const { ports, moved } = await allocate({ kept, ordered: { localstack: kept.kafka } });
    expect(ports.localstack).toBe(kept.kafka);
    expect(moved).toMatchObject([{ name: 'kafka', from: kept.kafka }]);
  });

  it('an ordered port that is taken is refused and names who has it, all of them at once', async () => {
    const [kafka, flink] = [await listen(), await listen()];
    const error: unknown = await allocate({ ordered: { kafka, flink, catalog: await freeRow(1) } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'PORT_TAKEN', exitCode: 3 });
    const { message } = error as Error;
    for (const part of [`Port ${kafka}, which is set for kafka`, `Port ${flink}, which is set for flink`, `pid ${process.pid}`])
      expect(message).toContain(part);
    expect(message).not.toContain('catalog');
  });

  it('an ordered port that our own server has is fine', async () => {
    const kafka = await listen();
    expect((await allocate({ kept: await keptPorts(), ordered: { kafka }, isOurs: (port) => port === kafka })).ports.kafka).toBe(kafka);
  });

  it('two ordered the same is a mistake', async () => {
    await expect(allocate({ ordered: { kafka: 7, flink: 7 } })).rejects.toMatchObject({
      code: 'PORT_TWICE',
      exitCode: 2,
      message: 'Port 7 is set for both kafka and flink',
    });
  });
});

describe('several workspaces', () => {
  const open = async (): Promise<Workspace> => {
    const workspace = workspaceAt(scratch());
    await prepareWorkspace(workspace);
    return workspace;
  };
  const up = (cacheDir: string, workspace: Workspace, kept: Partial<Record<PortName, number>> = {}): Promise<Allocation> =>
    withClaims(cacheDir, workspace, ({ claimed }) => allocate({ kept, claimed }));
  const keep = (workspace: Workspace, ports: Record<string, number>): Promise<void> =>
    writeKept(workspace, { stack: 'x', runtime: 'process', engine: 'flink', catalog: 'polaris', ports });

  it('that start at once get different ports', async () => {
    const cache = scratch();
    const workspaces = await Promise.all([open(), open(), open()]);
    const results = await Promise.all(workspaces.map((workspace) => up(cache, workspace)));
    const all = results.flatMap(({ ports }) => Object.values(ports));
    expect(new Set(all).size).toBe(3 * PORT_NAMES.length);
  });

  it('what another one has is not taken anew, though it is free', async () => {
    const { kafka, ...kept } = await keptPorts();
    const claimed = new Map([...Array(3).keys()].map((index) => [DEFAULT_PORTS.kafka + index, '/other']));
    expect((await allocate({ kept, claimed })).ports.kafka).toBeGreaterThan(DEFAULT_PORTS.kafka + 2);
    expect((await allocate({ kept: { ...kept, kafka }, claimed: new Map([[kafka, '/other']]) })).ports.kafka).toBe(kafka);
  });

  it('leave the ports of one that is stopped to it, until it is gone', async () => {
    const cache = scratch();
    const [first, second] = [await open(), await open()];
    const kept = await keptPorts();
    await up(cache, first, kept);
    await keep(first, kept);
    // The run that chose them has ended.
    const file = path.join(cache, 'workspaces', 'ports.json');
    const claims = JSON.parse(readFileSync(file, 'utf8')) as { startTime: string }[];
    writeFileSync(file, JSON.stringify(claims.map((claim) => ({ ...claim, startTime: 'before' }))));

    await withClaims(cache, second, async ({ claimed }) => {
      expect(claimed.get(kept.kafka)).toBe(first.root);
      return { ports: {} };
    });
    expect((await up(cache, first, kept)).moved).toEqual([]);

    await keep(first, { kafka: 1 });
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/"startTime":"[^"]*"/g, '"startTime":"before"'));
    await withClaims(cache, second, async ({ claimed }) => {
      expect([...claimed.keys()]).toEqual([]);
      return { ports: {} };
    });
  });

  it('leave the ports of one that has lost its note to its servers, and it gets them back', async () => {
    const cache = scratch();
    const [first, second] = [await open(), await open()];
    const had = await up(cache, first, await keptPorts());
    const file = path.join(cache, 'workspaces', 'ports.json');
    const ended = (): void => writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/"startTime":"[^"]*"/g, '"startTime":"before"'));
    writeFileSync(path.join(first.run, 'kafka.json'), '{}');
    ended();
    const chosen = await withClaims(cache, second, async ({ claimed, before }) => {
      expect([[...claimed.keys()].sort(), before]).toEqual([Object.values(had.ports).sort(), {}]);
      return { ports: {} };
    });
    expect(chosen).toEqual({ ports: {} });
    await withClaims(cache, first, async ({ before }) => {
      expect(before).toEqual(had.ports);
      return { ports: before as Record<string, number> };
    });
    rmSync(path.join(first.run, 'kafka.json'));
    ended();
    await withClaims(cache, second, async ({ claimed }) => {
      expect(claimed.size).toBe(0);
      return { ports: {} };
    });
  });

  it('do without notes where the cache is damaged or cannot be written', async () => {
    const cache = scratch();
    const workspace = await open();
    await up(cache, workspace);
    writeFileSync(path.join(cache, 'workspaces', 'ports.json'), '[{"port":');
    expect(Object.keys((await up(cache, workspace)).ports)).toHaveLength(PORT_NAMES.length);
    const file = path.join(scratch(), 'file');
    writeFileSync(file, '');
    expect(Object.keys((await up(file, workspace)).ports)).toHaveLength(PORT_NAMES.length);
  });
});
