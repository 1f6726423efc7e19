import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';
import { waitUntil } from '../../src/clients/wait.js';
import { ForgeError } from '../../src/errors.js';
import { nodeImages } from '../../src/runtimes/k3d/images.js';
import { kubeconfigFile } from '../../src/runtimes/k3d/kubeconfig.js';
import { isLoopback, listeners } from '../helpers/forge.js';
import { command, dockerDoor } from '../helpers/k3d-world-docker.js';
import { inDocker, ownClusterAt, processesWith, type OwnCluster } from '../helpers/own-cluster.js';

// One cluster for the whole file; each test goes on from what the one before has left, so none can be tried again.
const ONCE = { retry: 0 };
let world: OwnCluster;
/** Everything of ours in Docker, by name. */
let ours: string[];
/** The user's kubeconfig, as k3d would find it. */
let foreign: string;
const untouched = (): string[] =>
  [homedir() + '/.kube/config', foreign].map((file) =>
    existsSync(file) ? `${readFileSync(file, 'utf8')} ${statSync(file).mtimeMs}` : 'none',
  );
let before: string[];
const k3dFiles = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('k3d-config-tmp'));

beforeAll(async () => {
  world = await ownClusterAt('cluster');
  ours = [world.node, `k3d-${world.name}-tools`, `k3d-${world.name}`, `k3d-${world.name}-images`, `forge-${world.stack.workspace.id}-data`];
  foreign = join(world.root, 'foreign-kubeconfig');
  await writeFile(foreign, 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n# mine\n');
  process.env['KUBECONFIG'] = foreign;
  before = untouched();
  // Where k3d puts its own files; another suite may be making a cluster in the machine's folder.
  process.env['TMPDIR'] = join(world.root, 'tmp');
  await mkdir(process.env['TMPDIR']);
});
afterAll(async () => {
  delete process.env['KUBECONFIG'];
  delete process.env['TMPDIR'];
  await world.remove();
});

const refusal = async (work: Promise<unknown>): Promise<ForgeError> => {
  const error = await work.then(
    (value) => value,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ForgeError) return error;
  throw new Error(`no refusal: ${JSON.stringify(error)} ${String(error)}`);
};
const idOfNode = async (): Promise<string> => (await command('docker', 'inspect', '--format', '{{.Id}}', world.node))[0]!;
const creating = (): number[] => processesWith(join(world.stack.workspace.generated, 'k3d.yaml'));

describe('before there is a cluster', () => {
  test('somebody else’s cluster of that name is refused and stays, also when ours goes down', ONCE, async () => {
    await command(
      ...(['docker', 'create', '--name', world.node, '--label', 'app=k3d', '--label', 'k3d.role=server'] as const),
      ...['--label', `k3d.cluster=${world.name}`, world.stack.images['k3s']!],
    );
    try {
      const error = await refusal(world.up());
      expect(error).toMatchObject({ code: 'CLUSTER_FOREIGN', exitCode: 3 });
      expect(error.message).toContain(world.node);
      await world.down();
      expect(await inDocker([world.node])).toEqual([world.node]);
    } finally {
      await command('docker', 'rm', '--force', '--volumes', world.node);
    }
  });

  test('so is a network of that name', ONCE, async () => {
    await command('docker', 'network', 'create', `k3d-${world.name}`);
    try {
      expect(await refusal(world.up())).toMatchObject({ code: 'CLUSTER_FOREIGN' });
      await world.down();
      expect(await inDocker([`k3d-${world.name}`])).toEqual([`k3d-${world.name}`]);
    } finally {
      await command('docker', 'network', 'rm', `k3d-${world.name}`);
    }
  });

  test('a port that is taken is told with who has it, and nothing is made', ONCE, async () => {
    const port = world.stack.ports['kafka']!;
    const stranger = createServer().listen(port, '127.0.0.1');
    try {
      const error = await refusal(world.up());
      expect(error).toMatchObject({ code: 'PORT_TAKEN', exitCode: 3 });
      expect(error.message).toContain(`${port} (kafka)`);
      expect(error.message).toContain(`pid ${process.pid}`);
      expect(await inDocker(ours)).toEqual([]);
    } finally {
      await new Promise((closed) => stranger.close(closed));
    }
  });

  test('Ctrl-C while it is made ends k3d at once; down removes what there is', ONCE, async () => {
    const stop = new AbortController();
    const ended = world.up({
      signal: stop.signal,
      progress: (text) => text.startsWith('Starting node') && stop.abort(new Error('by hand')),
    });
    await expect(ended).rejects.toThrow('by hand');
    expect(creating()).toEqual([]);
    expect(await inDocker(ours)).not.toEqual([]);
    await world.down();
    expect(await inDocker(ours)).toEqual([]);
  });
});

describe('killed while it is made', () => {
  test('kill -9 of forge takes k3d along; what it left is known as ours', ONCE, async () => {
    const child = spawn(
      process.execPath,
      [join(packageRoot(), 'bin', 'run.js'), 'up', '--runtime', 'k3d', '--engine', 'flink', '--catalog', 'iceberg-rest'],
      {
        cwd: world.root,
        env: { ...process.env, FORGE_CACHE_DIR: world.stack.cacheDir },
        stdio: 'ignore',
      },
    );
    const gone = new Promise((ended) => child.once('exit', ended));
    await waitUntil(async () => (await inDocker([world.node])).length > 0, { what: 'the node to be made', timeoutMs: 60_000, everyMs: 20 });
    child.kill('SIGKILL');
    await gone;
    await waitUntil(async () => creating().length === 0, { what: 'k3d to end', timeoutMs: 10_000 });
    // Docker may still be at what it was asked for.
    const seen = await waitUntil(
      async () => {
        const { state } = await world.observe().catch(() => ({ state: 'unknown' }));
        return state !== 'in-sync' && state !== 'unknown' ? state : undefined;
      },
      { what: 'the remains to be seen', timeoutMs: 20_000 },
    );
    expect(['missing', 'drifted']).toContain(seen);
  });

  test('kill -9 of k3d is told; the next run makes the cluster, whatever was there', ONCE, async () => {
    const ended = world.up({
      progress: (text) => {
        if (text.startsWith('Creating node')) for (const pid of creating()) process.kill(pid, 'SIGKILL');
      },
    });
    expect(await refusal(ended)).toMatchObject({ code: 'K3D_FAILED', exitCode: 4 });
    expect(await world.up()).toMatch(/created$|mended$|started$/);
    expect(await world.observe()).toEqual({ state: 'in-sync' });
    expect(await inDocker([`k3d-${world.name}-tools`])).toEqual([]);
  });
});

describe('a cluster that is there', () => {
  test('Kubernetes ends in its node while it starts: told soon, and the next run mends it', ONCE, async () => {
    await world.down();
    let killed = 0;
    const kill = async (): Promise<void> => {
      const alive = async (): Promise<boolean> =>
        (await command('docker', 'top', world.node, '-eo', 'pid,comm').catch(() => [])).some((line) => line.endsWith(' k3s'));
      await waitUntil(alive, { what: 'k3s to start', timeoutMs: 60_000, everyMs: 20 });
      await command('docker', 'exec', world.node, 'sh', '-c', 'kill -9 $(pidof k3s)');
      killed = performance.now();
    };
    let killing: Promise<void> | undefined;
    const onProgress = (text: string): void => {
      if (text === `Starting node '${world.node}'`) killing ??= kill();
    };
    const error = await refusal(world.up({ progress: onProgress }));
    await killing;
    expect(error).toMatchObject({ code: 'CLUSTER_NOT_READY', exitCode: 4 });
    expect(error.message).toContain('Kubernetes has ended in its node');
    expect(performance.now() - killed).toBeLessThan(60_000);
    expect(creating()).toEqual([]);
    expect(await world.up()).toMatch(/mended$/);
  });

  test('from nothing: created, then nothing to do; one node with our labels', ONCE, async () => {
    await world.down();
    const [first, then] = [{ part: 'node' }, { part: 'rest' }];
    expect(await world.observe('k3d.cluster', then)).toMatchObject({ state: 'unknown' });
    expect(await world.up({ args: first })).toBe(`there is no cluster ${world.name}; created`);
    // Images can be brought in while Kubernetes goes on starting.
    expect([...(await nodeImages(world.name))].length).toBeGreaterThan(0);
    expect(await world.observe()).toMatchObject({ state: 'drifted' });
    expect(await world.up({ args: then })).toMatch(new RegExp(`^${world.name} runs, but .*; ready now$`));
    const started = performance.now();
    expect(await world.up()).toBe('in-sync');
    expect(performance.now() - started).toBeLessThan(5000);
    const [labels] = await command('docker', 'inspect', '--format', '{{json .Config.Labels}}', world.node);
    const { id } = world.stack.workspace;
    expect(JSON.parse(labels!)).toMatchObject({
      'forge.stack': 'balloon-popper',
      'forge.workspace': id,
      'forge.data': `forge-${id}-data`,
      'forge.packages': join(world.stack.cacheDir, 'packages'),
    });
    const members = await command('docker', 'ps', '--all', '--filter', `label=k3d.cluster=${world.name}`, '--format', '{{.Names}}');
    expect(members).toEqual([world.node]);
  });

  test('its ports are open on loopback only', ONCE, () => {
    const mapped = [
      'kafka',
      'localstack',
      'postgresql',
      'catalog',
      'catalog-management',
      'flink',
      'flink-sql-gateway',
      'risingwave',
      'k3d-api',
    ];
    for (const name of mapped) {
      const open = listeners().filter(({ port }) => port === world.stack.ports[name]);
      expect(open, name).not.toEqual([]);
      for (const { address } of open) expect(isLoopback(address), `${name} on ${address}`).toBe(true);
    }
  });

  test('no Traefik, no metrics-server, no load balancer run in it; the packages of this machine are there to read', ONCE, async () => {
    const pods = await command('docker', 'exec', world.node, 'kubectl', 'get', 'pods', '--all-namespaces', '--output', 'name');
    expect(pods.join()).not.toMatch(/traefik|metrics-server|svclb/);
    await writeFile(join(world.stack.cacheDir, 'packages', 'hello'), 'from this machine');
    expect(await command('docker', 'exec', world.node, 'cat', '/forge-packages/hello')).toEqual(['from this machine']);
    await expect(command('docker', 'exec', world.node, 'touch', '/forge-packages/x')).rejects.toThrow(/[Rr]ead-only/);
  });

  test('its kubeconfig is in .forge for its owner only, and the user’s own is not touched; k3d leaves no files', ONCE, () => {
    expect((statSync(kubeconfigFile(world.stack.workspace)).mode & 0o777).toString(8)).toBe('600');
    expect(untouched()).toEqual(before);
    expect(k3dFiles()).toEqual([]);
    expect(readdirSync(world.stack.workspace.run)).toEqual([]);
  });

  test.each<[string, (file: string) => Promise<void>, string]>([
    ['readable for others', (file) => chmod(file, 0o644), 'kubeconfig mode'],
    ['another cluster’s', (file) => writeFile(file, readFileSync(foreign)), 'kubeconfig'],
    ['deleted', (file) => rm(file), 'kubeconfig'],
    ['a link to the user’s own', (file) => rm(file).then(() => symlink(foreign, file)), 'kubeconfig'],
  ])('a kubeconfig that is %s is written anew, and nothing else changes', ONCE, async (_what, spoil, field) => {
    const file = kubeconfigFile(world.stack.workspace);
    const [text, id] = [readFileSync(file, 'utf8'), await idOfNode()];
    await spoil(file);
    const seen = await world.observe();
    expect(seen).toMatchObject({ state: 'drifted', diff: [{ field }] });
    expect(JSON.stringify(seen)).not.toContain('certificate');
    expect(await world.up()).toMatch(/mended$/);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(await idOfNode()).toBe(id);
    expect(untouched()).toEqual(before);
  });

  test('folders for data that are gone are made again, for every user', ONCE, async () => {
    await command('docker', 'exec', world.node, 'rm', '-rf', '/var/lib/forge/kafka');
    expect(await world.observe()).toMatchObject({ state: 'drifted', diff: [{ field: 'folders', is: 'without /var/lib/forge/kafka' }] });
    await world.up();
    expect(await command('docker', 'exec', world.node, 'stat', '-c', '%a', '/var/lib/forge/kafka')).toEqual(['777']);
  });

  test('stopped: up starts the same node, with its data', ONCE, async () => {
    const id = await idOfNode();
    await command('docker', 'exec', world.node, 'sh', '-c', 'echo kept >/var/lib/forge/kafka/word');
    expect(await world.down(true)).toEqual([world.name]);
    expect(await world.observe()).toMatchObject({ state: 'drifted', message: `${world.name} is stopped` });
    expect(await world.up()).toMatch(/started$/);
    expect(await idOfNode()).toBe(id);
    expect(await command('docker', 'exec', world.node, 'cat', '/var/lib/forge/kafka/word')).toEqual(['kept']);
    expect(await inDocker([`k3d-${world.name}-tools`])).toEqual([]);
  });

  test('stopped, and a stranger took one of its ports: told before anything is started; then it starts', ONCE, async () => {
    await world.down(true);
    const port = world.stack.ports['postgresql']!;
    const stranger = createServer().listen(port, '127.0.0.1');
    try {
      const error = await refusal(world.up());
      expect(error).toMatchObject({ code: 'PORT_TAKEN' });
      expect(error.message).toContain(`${port} (postgresql)`);
    } finally {
      await new Promise((closed) => stranger.close(closed));
    }
    expect(await world.up()).toMatch(/started$/);
  });

  test('the node restarted, as after a reboot: not in sync before its pods are really up again', ONCE, async () => {
    await command('docker', 'restart', '--time', '0', world.node);
    const started = (await command('docker', 'inspect', '--format', '{{.State.StartedAt}}', world.node))[0]!;
    await world.up();
    const running = '{range .items[*]}{range .status.containerStatuses[*]}{.state.running.startedAt}{"\\n"}{end}{end}';
    const times = await command('docker', 'exec', world.node, 'kubectl', 'get', 'pods', '-A', '-o', `jsonpath=${running}`);
    for (const time of times)
      expect(new Date(time).getTime(), `${time} is before ${started}`).toBeGreaterThan(new Date(started).getTime() - 1000);
  });

  test('paused: it goes on', ONCE, async () => {
    await command('docker', 'pause', world.node);
    expect(await world.up()).toMatch(/started$/);
  });

  test('Docker that goes away is told as that, and nothing is taken for missing', ONCE, async () => {
    const door = await dockerDoor(world.root);
    const { DOCKER_HOST, DOCKER_SOCK } = process.env;
    Object.assign(process.env, door.env);
    try {
      expect(await world.observe()).toEqual({ state: 'in-sync' });
      await door.close();
      expect(await refusal(world.observe())).toMatchObject({ code: 'DOCKER_UNREACHABLE', exitCode: 3 });
      await door.open();
      expect(await world.observe()).toEqual({ state: 'in-sync' });
    } finally {
      await door.close();
      for (const [name, value] of Object.entries({ DOCKER_HOST, DOCKER_SOCK }))
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    }
  });

  test('another port needs a new cluster: shown, refused without --recreate, and with it the data stays', ONCE, async () => {
    const id = await idOfNode();
    const port = world.stack.ports['risingwave']! + 7000;
    await world.reopen({ ports: { risingwave: port } });
    const difference = { field: 'port risingwave', is: `127.0.0.1:${port - 7000}`, should: `127.0.0.1:${port}` };
    expect(await world.observe()).toMatchObject({ state: 'drifted', diff: [difference] });
    expect(await refusal(world.up())).toMatchObject({ code: 'CLUSTER_NEEDS_RECREATE', exitCode: 2 });
    expect(await idOfNode()).toBe(id);
    expect(await world.up({ orders: { recreate: true } })).toMatch(/made anew, with the data that it had$/);
    expect(await idOfNode()).not.toBe(id);
    expect(await command('docker', 'exec', world.node, 'cat', '/var/lib/forge/kafka/word')).toEqual(['kept']);
    expect(listeners().some((one) => one.port === port)).toBe(true);
  });
});

describe('a neighbour', () => {
  test('whose name begins with ours, with a registry of its own, stays as it is while ours goes without a trace', ONCE, async () => {
    const neighbour = `${world.name}-b`;
    const registry = `k3d-${neighbour}-registry`;
    const create = [
      'cluster',
      'create',
      neighbour,
      '--no-lb',
      '--timeout',
      '240s',
      '--api-port',
      '127.0.0.1:0',
      '--image',
      world.stack.images['k3s']!,
    ];
    await command('k3d', ...create, '--registry-create', `${neighbour}-registry:127.0.0.1:0`, '--kubeconfig-update-default=false');
    try {
      const theirs = [`k3d-${neighbour}-server-0`, `${neighbour}-registry`, registry, `k3d-${neighbour}`, `k3d-${neighbour}-images`];
      const containers = (await inDocker(theirs)).filter((name) => name.includes('server') || name.includes('registry'));
      const look = async (): Promise<string[]> => [
        ...(await inDocker(theirs)),
        ...(await command('docker', 'inspect', '--format', '{{.Id}} {{.State.StartedAt}} {{.RestartCount}}', ...containers)),
      ];
      const asItWas = await look();
      expect(containers).toHaveLength(2);

      const mounts = await command('docker', 'inspect', '--format', '{{range .Mounts}}{{println .Name}}{{end}}', world.node);
      expect(mounts.length).toBeGreaterThan(3);
      expect(await world.down()).toEqual([world.name]);
      expect(await inDocker([...ours, ...mounts])).toEqual([]);
      expect(await world.down()).toEqual([]);

      expect(await look()).toEqual(asItWas);
      expect(await command('docker', 'exec', `k3d-${neighbour}-server-0`, 'kubectl', 'get', '--raw', '/readyz')).toEqual(['ok']);
      expect(untouched()).toEqual(before);
    } finally {
      await command('k3d', 'cluster', 'delete', neighbour);
    }
  });
});
