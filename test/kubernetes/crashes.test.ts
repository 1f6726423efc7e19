import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnvResult, ErrorResult, StatusResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import type { TaskEvent } from '../../src/playbook/events.js';
import { command } from '../helpers/k3d-world-docker.js';
import { k3dWorld, UP, type K3dWorld } from '../helpers/k3d-world.js';
import { rows, sumOfTopic, waitFor } from '../helpers/lake.js';
import { changedOf, expectAgreement, play, type Totals } from '../helpers/sums.js';

// One cluster for the whole file; each test goes on from what the one before has left, so none can be tried again.
const ONCE = { retry: 0 };
let world: K3dWorld;
beforeAll(async () => {
  world = await k3dWorld('crash');
});
afterAll(() => world.remove());

const applying =
  (module: string) =>
  (event: TaskEvent): boolean =>
    event.module === module && event.state === 'applying';

/** One `up` mends everything, the next finds nothing to do, and Docker holds one node and its volume and network, nothing else. */
async function expectConverges(): Promise<UpResult> {
  const mended = await world.ok<UpResult>(UP);
  expect(mended.failed).toBe(0);
  expect(changedOf(await world.ok<UpResult>(UP))).toEqual([]);
  const { healthy } = await world.ok<StatusResult>(['status']);
  expect(healthy).toBe(true);
  const { legs } = await world.ok<VerifyResult>(['verify']);
  expect(legs.filter(({ ok }) => !ok)).toEqual([]);
  const containers = await command('docker', 'ps', '-a', '--format', '{{.Names}}', '--filter', `label=k3d.cluster=${world.name}`);
  expect(containers).toEqual([world.node]);
  return mended;
}

/** What must outlive everything that follows: events in Kafka, and a row in PostgreSQL that is nobody's but the user's. */
let played: Totals;

async function expectKept(why: string): Promise<void> {
  const env = await world.ok<EnvResult>(['env']);
  expect(await sumOfTopic(env), `${why}: Kafka`).toEqual(played);
  expect(await rows(env, 'SELECT word FROM kept'), `${why}: PostgreSQL`).toEqual([{ word: 'still here' }]);
  expect(await expectAgreement(world, why)).toEqual(played);
}

test(
  'kill -9 while the cluster is made, while an image is imported, while manifests are applied, while pods are waited for: one up converges',
  ONCE,
  async () => {
    const half = async (): Promise<boolean> => (await command('docker', 'ps', '-a', '--format', '{{.Names}}')).includes(world.node);
    const creating = await world.upUntil(
      applying('k3d.cluster'),
      (kill) => void waitFor(async () => expect(await half()).toBe(true)).finally(kill),
    );
    expect([creating.hit, creating.ran.signal]).toEqual([true, 'SIGKILL']);

    for (const module of ['k3d.image', 'k8s.apply', 'k8s.ready']) {
      const { hit, ran } = await world.upUntil(applying(module), (kill) => setTimeout(kill, 500));
      expect([module, hit, ran.signal], ran.stdout).toEqual([module, true, 'SIGKILL']);
    }
    await expectConverges();
    await play(world, 300);
    played = await expectAgreement(world, 'after four kills');
    const env = await world.ok<EnvResult>(['env']);
    await rows(env, "CREATE TABLE kept AS SELECT 'still here' AS word");
  },
);

test('cluster stopped, and Docker gone while up starts it: said so, nothing taken for missing; one up converges', ONCE, async () => {
  await command('k3d', 'cluster', 'stop', world.name);
  const before = await world.inDocker();
  expect((await world.ok<StatusResult>(['status'])).healthy).toBe(false);
  const checked = await world.ok<UpResult>([...UP, '--check'], 5);
  const cluster = checked.tasks.find(({ module }) => module === 'k3d.cluster')!;
  expect([cluster.status, cluster.message]).toEqual(['changed', expect.stringMatching(/is stopped/)]);

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
  await expectConverges();
  await expectKept('cluster stopped, Docker gone');
});

test('node restarted, as after a reboot: one up converges, nothing is lost', ONCE, async () => {
  await command('docker', 'restart', world.node);
  await expectConverges();
  await expectKept('node restarted');
  // And the flow goes on.
  await play(world, 100);
  await expectAgreement(world, 'played after the restart');
});

test('down leaves no container, network, volume or file', ONCE, async () => {
  await world.ok(['down', '--yes']);
  expect(await world.inDocker()).toEqual([]);
  expect(existsSync(join(world.root, '.forge'))).toBe(false);
});
