import { existsSync, readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DoctorResult, EnvResult, ErrorResult, StatusResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import type { TaskEvent } from '../../src/playbook/events.js';
import { podFaults } from '../helpers/faults/pods.js';
import { expectFirst, expectHealthyRuns, provoke } from '../helpers/faults/provoke.js';
import { command } from '../helpers/k3d-world-docker.js';
import { k3dWorld, UP, type K3dWorld } from '../helpers/k3d-world.js';
import { rows, sumOfTopic, tableRows } from '../helpers/lake.js';
import { changedOf, expectAgreement, messageOf, play, type Totals } from '../helpers/sums.js';

const TABLES = ['balloon_color_stats', 'balloon_colored_pops', 'color_performance_trends', 'leaderboard', 'realtime_scores'];

// One stack for the whole file; each test goes on from what the one before has left, so none can be tried again.
const ONCE = { retry: 0 };
let world: K3dWorld;
let neighbour: string;
let images: string[];
let theirs: string[];

/** Without those that another suite makes for itself. */
const tags = async (): Promise<string[]> =>
  (await command('docker', 'images', '--format', '{{.Repository}}:{{.Tag}}')).filter((tag) => !tag.startsWith('forge-test/')).sort();
/** The neighbour's containers, with when they were started, and its network and volumes. */
async function ofNeighbour(): Promise<string[]> {
  const label = `label=k3d.cluster=${neighbour}`;
  const ids = await command('docker', 'ps', '-aq', '--no-trunc', '--filter', label);
  const containers = await command('docker', 'inspect', '--format', '{{.Name}} {{.Id}} {{.State.StartedAt}}', ...ids);
  const volumes = await command('docker', 'volume', 'ls', '--format', '{{.Name}}', '--filter', label);
  const networks = await command(
    'docker',
    'network',
    'ls',
    '--no-trunc',
    '--format',
    '{{.Name}} {{.ID}}',
    '--filter',
    `name=k3d-${neighbour}`,
  );
  return [...containers, ...volumes, ...networks].sort();
}
const ctr = (...args: string[]): Promise<string[]> => command('docker', 'exec', world.node, 'ctr', '-n', 'k8s.io', 'images', ...args);
const kubectl = (...args: string[]): Promise<string[]> => command('docker', 'exec', world.node, 'kubectl', ...args);

beforeAll(async () => {
  world = await k3dWorld('flink');
  neighbour = `${world.name}-b`;
  const image = (await command('docker', 'images', '--format', '{{.Repository}}:{{.Tag}}', 'rancher/k3s'))[0]!;
  const create = ['cluster', 'create', neighbour, '--no-lb', '--api-port', '127.0.0.1:0', '--image', image];
  await command('k3d', ...create, '--registry-create', `${neighbour}-registry:127.0.0.1:0`, '--kubeconfig-update-default=false');
  [images, theirs] = [await tags(), await ofNeighbour()];
});
afterAll(() => world.remove().finally(() => command('k3d', 'cluster', 'delete', neighbour)));

test('from nothing to verified rows in all five Iceberg tables', ONCE, async () => {
  const up = await world.ok<UpResult>([...UP, '--events', '25s']);
  expect([up.runtime, up.engine, up.catalog, up.failed]).toEqual(['k3d', 'flink', 'iceberg-rest', 0]);
  expect(up.verify?.legs.filter(({ ok }) => !ok)).toEqual([]);
  await expectAgreement(world, 'after the first up');
  const { tables } = await world.ok<VerifyResult>(['verify']);
  expect(Object.keys(tables).sort()).toEqual(TABLES);
  expect(Object.entries(tables).filter(([, { rows }]) => (rows ?? 0) === 0)).toEqual([]);
  // It stays where it is; its Kubernetes need not take a share of this machine all the time.
  await command('docker', 'pause', `k3d-${neighbour}-server-0`);
});

test('the second up changes nothing; --check ends with 0; the probe goes through', ONCE, async () => {
  expect(changedOf(await world.ok<UpResult>(UP))).toEqual([]);
  expect(changedOf(await world.ok<UpResult>(['up', '--check']))).toEqual([]);
  const { legs } = await world.ok<VerifyResult>(['verify', '--probe']);
  expect(legs.filter(({ ok }) => !ok)).toEqual([]);
});

test('a deleted Service and a deleted Deployment: doctor names them, exactly that is made anew', ONCE, async () => {
  await kubectl('-n', 'kafka', 'delete', 'service', 'kafka-outside');
  await expectFirst(world, { id: 'server-settings', cause: /Service/ });
  expect(changedOf(await world.ok<UpResult>(UP))).toEqual(['apply-kafka']);
  await kubectl('-n', 'iceberg-rest', 'delete', 'deployment', 'iceberg-rest');
  const cause = /Deployment iceberg-rest\/iceberg-rest is not there/;
  await expectFirst(world, { id: 'server-down', component: 'iceberg-rest', cause });
  const mended = await world.ok<UpResult>(UP);
  // The job may have missed its catalog meanwhile, and was waited for.
  expect(changedOf(mended).filter((id) => id !== 'job')).toEqual(['apply-iceberg-rest', 'await-iceberg-rest']);
  expect(messageOf(mended, 'apply-iceberg-rest')).toMatch(/^Deployment iceberg-rest\/iceberg-rest created$/);
  // The catalog's memory is on its volume: no table had to be made anew.
  await expectAgreement(world, 'a new pod of the catalog');
});

test('a JobManager that is gone: the job goes on from its last checkpoint, and no row is written twice', ONCE, async () => {
  await play(world, 200);
  await expectAgreement(world, 'before');
  await kubectl('-n', 'flink', 'delete', 'pod', '-l', 'app.kubernetes.io/name=flink-jobmanager', '--now');
  const mended = await world.ok<UpResult>(UP);
  expect(messageOf(mended, 'job')).toMatch(/submitted, resumed from its last checkpoint$/);
  await play(world, 200);
  await expectAgreement(world, 'after the JobManager was gone');
  const env = await world.ok<EnvResult>(['env']);
  const [events] = await rows(env, 'SELECT sum(balloon_pops) AS n FROM mv_balloon_color_stats');
  // A probe's rows stay in the tables, and leave the views.
  const stats = (await tableRows(env, 'balloon_color_stats')).filter(({ player }) => !String(player).startsWith('forge-probe-'));
  expect(stats.length).toBe(Number(events?.['n']));
});

test("the superuser's password made anew: PostgreSQL takes it, with all that it holds", ONCE, async () => {
  const file = join(world.root, '.forge', 'credentials', 'postgresql.json');
  await rm(file);
  const mended = await world.ok<UpResult>(UP);
  expect(changedOf(mended)).toEqual(expect.arrayContaining(['secret-postgresql', 'apply-postgresql', 'await-postgresql']));
  expect(changedOf(mended).filter((id) => /^(table|view)-|database|role/.test(id))).toEqual([]);
  expect(changedOf(await world.ok<UpResult>(UP))).toEqual([]);
  await expectAgreement(world, 'a new password');
  const { healthy } = await world.ok<StatusResult>(['status']);
  expect(healthy).toBe(true);
});

describe('whatever ends in the middle, one up converges and nothing is lost', () => {
  const applying =
    (module: string) =>
    (event: TaskEvent): boolean =>
      event.module === module && event.state === 'applying';

  /** One `up` mends everything, the next finds nothing to do, and Docker holds one node of ours, nothing else. */
  async function expectConverges(): Promise<void> {
    expect((await world.ok<UpResult>(UP)).failed).toBe(0);
    expect(changedOf(await world.ok<UpResult>(UP))).toEqual([]);
    const { healthy } = await world.ok<StatusResult>(['status']);
    expect(healthy).toBe(true);
    const { legs } = await world.ok<VerifyResult>(['verify']);
    expect(legs.filter(({ ok }) => !ok)).toEqual([]);
    const containers = await command('docker', 'ps', '-a', '--format', '{{.Names}}', '--filter', `label=k3d.cluster=${world.name}`);
    expect(containers).toEqual([world.node]);
  }

  /** What outlives everything: events in Kafka, and a row in PostgreSQL that is nobody's but the user's. */
  let played: Totals;
  async function expectKept(why: string): Promise<void> {
    const env = await world.ok<EnvResult>(['env']);
    expect(await sumOfTopic(env), `${why}: Kafka`).toEqual(played);
    expect(await rows(env, 'SELECT word FROM kept'), `${why}: PostgreSQL`).toEqual([{ word: 'still here' }]);
    expect(await expectAgreement(world, why)).toEqual(played);
  }

  // While the cluster itself is made: test/kubernetes/k3d-cluster.test.ts.
  test('kill -9 while an image is imported, while manifests are applied, while pods are waited for', ONCE, async () => {
    played = await expectAgreement(world, 'before');
    await rows(await world.ok<EnvResult>(['env']), "CREATE TABLE kept AS SELECT 'still here' AS word");
    const takeAway = (): Promise<string[]> => kubectl('-n', 'iceberg-rest', 'delete', 'deployment', 'iceberg-rest', '--wait');
    await takeAway();
    const images = (await ctr('ls', '-q')).filter((name) => name.includes('/iceberg-rest-fixture:'));
    expect(images.length).toBeGreaterThan(0);
    await ctr('rm', '--sync', ...images);
    for (const module of ['k3d.image', 'k8s.apply', 'k8s.ready']) {
      // What the run before has applied may be ready by now, with nothing to be waited for.
      if (module === 'k8s.ready') await takeAway();
      const { hit, ran } = await world.upUntil(applying(module), (kill) => setTimeout(kill, 500));
      expect([module, hit, ran.signal], ran.stdout).toEqual([module, true, 'SIGKILL']);
    }
    await expectConverges();
    await expectKept('after three kills');
  });

  test(
    'cluster stopped, Docker gone while up starts it, node restarted as after a reboot: said so, nothing taken for missing',
    ONCE,
    async () => {
      await command('k3d', 'cluster', 'stop', world.name);
      const before = await world.inDocker();
      expect((await world.ok<StatusResult>(['status'])).healthy).toBe(false);
      const checked = await world.ok<UpResult>([...UP, '--check'], 5);
      const cluster = checked.tasks.find(({ module }) => module === 'k3d.cluster')!;
      expect([cluster.status, cluster.message]).toEqual(['changed', expect.stringMatching(/is stopped/)]);
      const [first] = (await world.ok<DoctorResult>(['doctor'], 5)).findings;
      expect(first).toMatchObject({ id: 'cluster-reachable', fixable: true, cause: expect.stringMatching(/exited/) });

      const starting = ({ module, progress }: TaskEvent): boolean => module === 'k3d.cluster' && /^starting/.test(progress ?? '');
      const { hit, ran } = await world.upUntil(starting, () => void world.door.close());
      expect(hit, ran.stdout).toBe(true);
      const said = JSON.parse(ran.stdout.trim().split('\n').at(-1)!) as ErrorResult;
      expect([3, 4]).toContain(ran.code);
      expect(said.error.code).toMatch(/^DOCKER_/);
      expect(said.error.hint).toMatch(/Docker/);

      // Neither now: what cannot be seen is not made anew.
      const blind = await world.forge<ErrorResult>([...UP, '--json']);
      expect([blind.code, blind.json.error.code]).toEqual([3, expect.stringMatching(/^DOCKER_/)]);
      await world.door.open();
      expect(await world.inDocker()).toEqual(expect.arrayContaining(before));
      await command('docker', 'restart', world.node);
      await expectConverges();
      await expectKept('cluster stopped, Docker gone, node restarted');
      // And the flow goes on.
      await play(world, 100);
      await expectAgreement(world, 'played after the restart');
    },
  );
});

test('doctor: 20 runs on a healthy cluster find nothing, and can tell everything', ONCE, () => expectHealthyRuns(world, 20));

describe('doctor names what goes wrong on a cluster first, and mends it', () => {
  test.each(podFaults(() => world).map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
    await provoke(world, fault);
    await expectAgreement(world, fault.name);
  });
});

test('what forge has written of the cluster is for the user alone', () => {
  const own = join(world.root, '.forge');
  const manifests = join(own, 'generated', 'manifests');
  const files = readdirSync(manifests, { recursive: true, encoding: 'utf8' }).map((name) => join(manifests, name));
  expect(files.filter((name) => name.endsWith('.yaml')).length).toBe(5);
  for (const file of [join(own, 'kubeconfig'), ...files])
    expect([file, statSync(file).mode & 0o777]).toEqual([file, statSync(file).isDirectory() ? 0o700 : 0o600]);
});

test('down leaves no container, network, volume, image tag or file; the neighbour never noticed', ONCE, async () => {
  await command('docker', 'unpause', `k3d-${neighbour}-server-0`);
  await world.ok(['down', '--yes']);
  expect(await world.inDocker()).toEqual([]);
  expect(await tags()).toEqual(images);
  expect(existsSync(join(world.root, '.forge'))).toBe(false);
  expect(await ofNeighbour()).toEqual(theirs);
});
