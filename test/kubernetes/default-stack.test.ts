import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ErrorResult, StatusResult, UpResult } from '../../src/cli/schemas.js';
import { workspaceAt } from '../../src/workspace/workspace.js';
import { CONTEXT, defaultStack, type DefaultStack } from '../helpers/default-stack.js';
import type { RealmState } from '../helpers/fake-polaris/state.js';
import type { Fault } from '../helpers/faults/fault.js';
import { expectHealthyRuns, provoke } from '../helpers/faults/provoke.js';
import { startFakeCluster } from '../helpers/kwok.js';
import { labelled, placeOf, type KubeObject } from '../helpers/kwok-api.js';
import { expectSilence, inBothForms } from '../helpers/secrets.js';
import { changedOf, messageOf } from '../helpers/sums.js';

const UP = ['up', '--runtime', 'kubernetes', '--context', CONTEXT];

let stack: DefaultStack;
beforeAll(async () => {
  stack = await defaultStack();
});
afterAll(() => stack.close());

const own = (): string => `forge.dev/workspace=${workspaceAt(stack.root).id}`;

/** What forge says that it has applied, object by object. */
function applied(): KubeObject[] {
  const folder = join(stack.root, '.forge', 'generated', 'manifests');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as KubeObject));
}

const live = async (kind: string, namespace: string, name: string): Promise<KubeObject> => {
  const found = await stack.cluster.api.get(placeOf(kind, namespace, name));
  if (found === undefined) throw new Error(`there is no ${kind} ${namespace}/${name}`);
  return found;
};

describe('from nothing', () => {
  test('one up converges: every object is there as declared, every pod of a ready workload runs, forge owns what it applied', async () => {
    const up = await stack.ok<UpResult>(UP);
    expect(up.failed).toBe(0);
    expect([up.runtime, up.engine, up.catalog]).toEqual(['kubernetes', 'risingwave', 'polaris']);
    const { api } = stack.cluster;
    const workloads = [
      ['StatefulSet', 'kafka', 'kafka'],
      ['Deployment', 'localstack', 'localstack'],
      ['StatefulSet', 'postgresql', 'postgresql'],
      ['Deployment', 'polaris', 'polaris'],
      ['StatefulSet', 'risingwave', 'risingwave'],
    ] as const;
    for (const [kind, namespace, name] of workloads) {
      const { status, metadata } = await live(kind, namespace, name);
      expect(status, `${kind} ${name}`).toMatchObject({ readyReplicas: 1 });
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/stack': 'balloon-popper' });
      expect(metadata.managedFields?.filter(({ operation }) => operation === 'Apply').map(({ manager }) => manager)).toEqual(['forge']);
    }
    expect((await live('Job', 'polaris', 'polaris-bootstrap')).status).toMatchObject({ succeeded: 1 });
    // Nothing of the cluster but namespaces.
    const clusterWide = (await labelled(api, own())).filter((name) => /^\w+ \//.test(name));
    expect(clusterWide).toEqual(['kafka', 'localstack', 'polaris', 'postgresql', 'risingwave'].map((name) => `Namespace /${name}`));
    const pods = (await api.list(`${placeOf('Pod')}?labelSelector=${own()}`)).map(
      ({ metadata, status }) => [metadata.name, status?.['phase']] as const,
    );
    expect(pods).toHaveLength(6);
    expect(pods.filter(([name, phase]) => phase !== (name.startsWith('polaris-bootstrap') ? 'Succeeded' : 'Running'))).toEqual([]);
  });

  test('the API server takes every generated manifest with strict validation, and finds it in place', async () => {
    const objects = applied();
    expect(objects.length).toBeGreaterThan(15);
    for (const object of objects) {
      const { name, namespace } = object.metadata;
      const path = placeOf(object.kind, namespace, name);
      const before = await stack.cluster.api.get(path);
      const after = await stack.cluster.api.apply(path, object, { manager: 'forge', dryRun: true });
      expect(after.metadata.resourceVersion, `${object.kind} ${name}`).toBe(before?.metadata.resourceVersion);
    }
  });

  test('the second up changes nothing, --check ends with 0, status finds everything healthy', async () => {
    expect(changedOf(await stack.ok<UpResult>(UP))).toEqual([]);
    expect(changedOf(await stack.ok<UpResult>([...UP, '--check']))).toEqual([]);
    // What `up` was told is kept.
    expect(changedOf(await stack.ok<UpResult>(['up', '--check']))).toEqual([]);
    const { healthy, components } = await stack.ok<StatusResult>(['status']);
    expect([healthy, components.map(({ name }) => name).sort()]).toEqual([
      true,
      ['kafka', 'localstack', 'polaris', 'postgresql', 'risingwave'],
    ]);
  });
});

describe('drift', () => {
  // What one test has left is not for the next one.
  beforeEach(({ onTestFailed }) => onTestFailed(async () => void (await stack.forge(UP))));

  interface Drift {
    /** Ids of the tasks that find it. */
    tasks: string[];
    /** What `--check --diff` shows. */
    shows: RegExp;
    /** What the first of the tasks says that it did. */
    says: RegExp;
  }

  /** What a check cannot see before something else is mended counts as a change; it is not one of its own. */
  const found = ({ tasks }: UpResult): string[] =>
    tasks.filter(({ status, message }) => status === 'changed' && !/^not known until/.test(message ?? '')).map(({ id }) => id);

  /** `--check` finds exactly that and changes nothing, one `up` mends exactly that; the next check finds what comes next only. */
  async function expectMended({ tasks, says, shows }: Drift): Promise<void> {
    const checked = await stack.ok<UpResult>([...UP, '--check', '--diff'], 5);
    expect(found(checked)).toEqual(tasks);
    const shown = await stack.forge([...UP, '--check', '--diff']);
    expect(shown.code).toBe(5);
    expect(shown.stdout).toMatch(shows);
    const mended = await stack.ok<UpResult>([...UP, '--diff']);
    expect(changedOf(mended)).toEqual(tasks);
    expect(messageOf(mended, tasks[0]!)).toMatch(says);
  }

  test('a field that somebody edited', async () => {
    await stack.cluster.api.patch(placeOf('Service', 'kafka', 'kafka'), { spec: { selector: { 'app.kubernetes.io/name': 'elsewhere' } } });
    await expectMended({ tasks: ['apply-kafka'], shows: /selector.*elsewhere -> kafka/, says: /^Service kafka\/kafka/ });
    expect((await live('Service', 'kafka', 'kafka')).spec).toMatchObject({ selector: { 'app.kubernetes.io/name': 'kafka' } });
  });

  test('a deleted Service', async () => {
    await stack.cluster.api.delete(placeOf('Service', 'localstack', 'localstack'));
    await expectMended({
      tasks: ['apply-localstack'],
      shows: /Service localstack\/localstack: absent -> there/,
      says: /^Service localstack\/localstack created$/,
    });
    await live('Service', 'localstack', 'localstack');
  });

  test('a deleted Secret, and one that somebody changed: mended, and shown by name only', async () => {
    const place = placeOf('Secret', 'polaris', 'aws');
    const { data } = await live('Secret', 'polaris', 'aws');
    await stack.cluster.api.delete(place);
    await expectMended({ tasks: ['apply-polaris'], shows: /Secret polaris\/aws: absent -> there/, says: /^Secret polaris\/aws created$/ });
    expect((await live('Secret', 'polaris', 'aws')).data).toEqual(data);
    const edited = Buffer.from('Zq7editedSECRETzq7').toString('base64');
    await stack.cluster.api.patch(place, { data: { AWS_SECRET_ACCESS_KEY: edited } });
    await expectMended({ tasks: ['apply-polaris'], shows: /AWS_SECRET_ACCESS_KEY: \*\*\* -> \*\*\*/, says: /^Secret polaris\/aws/ });
    expect((await live('Secret', 'polaris', 'aws')).data).toEqual(data);
    expect(stack.secretsSaid(['Zq7editedSECRETzq7'])).toEqual([]);
  });

  test('a field that another manager owns: named, exit 4, and nothing is changed', async () => {
    const place = placeOf('Deployment', 'localstack', 'localstack');
    const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'localstack', namespace: 'localstack' } };
    await stack.cluster.api.apply(place, { ...object, spec: { replicas: 0 } }, { manager: 'other', force: true });
    const before = await live('Deployment', 'localstack', 'localstack');
    const shown = await stack.forge([...UP, '--check', '--diff']);
    expect(shown.stdout).toMatch(/spec\.replicas: 0 \(held by other\) -> 1/);
    const ran = await stack.forge<UpResult & ErrorResult>([...UP, '--json']);
    expect([ran.code, ran.json.error.code]).toEqual([4, 'FIELD_CONFLICT']);
    expect(ran.json.error.message).toMatch(/\bother\b/);
    expect(ran.json.error.message).toMatch(/replicas/);
    expect(ran.json.changed).toBe(0);
    expect((await live('Deployment', 'localstack', 'localstack')).spec).toEqual(before.spec);
    // The other one gives it up.
    await stack.cluster.api.apply(place, object, { manager: 'other' });
    await stack.ok<UpResult>(UP);
    expect(changedOf(await stack.ok<UpResult>(UP))).toEqual([]);
  });

  test('a sink that somebody dropped, and a view with another definition', async () => {
    await stack.risingwave.sql('DROP SINK leaderboard');
    await expectMended({
      tasks: ['sink-leaderboard'],
      shows: /sink leaderboard is missing/,
      says: /sink leaderboard was missing; created/,
    });
    for (const dropped of ['SINK leaderboard', 'MATERIALIZED VIEW mv_leaderboard']) await stack.risingwave.sql(`DROP ${dropped}`);
    await stack.risingwave.sql('CREATE MATERIALIZED VIEW mv_leaderboard AS SELECT player FROM balloon_game_events');
    await expectMended({
      tasks: ['mv-leaderboard', 'sink-leaderboard'],
      shows: /mv_leaderboard.*dropped and created again/,
      says: /mv_leaderboard.*dropped and created again/,
    });
  });

  test('a grant that somebody revoked in Polaris', async () => {
    const realm = (await stack.polaris.store.load())!;
    realm.catalogs['balloon-game']!.roles['sudo']!.grants = [];
    await stack.polaris.store.save(realm);
    await expectMended({
      tasks: ['polaris-sudo-manages-content'],
      shows: /lacks CATALOG_MANAGE_CONTENT/,
      says: /lacked CATALOG_MANAGE_CONTENT; granted/,
    });
  });

  test('after all of that nothing is left to do', async () => {
    expect(changedOf(await stack.ok<UpResult>(UP))).toEqual([]);
    expect(changedOf(await stack.ok<UpResult>([...UP, '--check']))).toEqual([]);
  });
});

describe('doctor', () => {
  // The pods of the fake node have no logs, and no kubelet counts their memory.
  const SILENT = ['server-memory', 'server-log'];

  test('a healthy stack: it finds nothing, and can tell everything', () => expectHealthyRuns(stack, 5, SILENT));

  const change = async (edit: (realm: RealmState) => void): Promise<undefined> => {
    const realm = (await stack.polaris.store.load())!;
    edit(realm);
    await stack.polaris.store.save(realm);
    return undefined;
  };
  const sql = async (...statements: string[]): Promise<undefined> => {
    for (const statement of statements) await stack.risingwave.sql(statement);
    return undefined;
  };
  const FAULTS: Fault<DefaultStack>[] = [
    {
      name: "the grant of the pipeline's role is revoked",
      inject: () => change((realm) => (realm.catalogs['balloon-game']!.roles['sudo']!.grants = [])),
      finding: { id: 'catalog-objects', cause: /lacks CATALOG_MANAGE_CONTENT/ },
      mend: 'fix',
    },
    {
      name: "the pipeline's principal is deleted",
      inject: () => change((realm) => delete realm.principals['super_user']),
      finding: { id: 'catalog-token', component: 'polaris', cause: /polaris-principal\.json/ },
      mend: 'fix',
    },
    {
      name: 'a sink is dropped',
      inject: () => sql('DROP SINK leaderboard'),
      finding: { id: 'risingwave-objects', component: 'risingwave', cause: /sink leaderboard is missing/ },
      mend: 'fix',
    },
    {
      name: 'a view has other SQL',
      inject: () =>
        sql(
          'DROP SINK leaderboard',
          'DROP MATERIALIZED VIEW mv_leaderboard',
          'CREATE MATERIALIZED VIEW mv_leaderboard AS SELECT player FROM balloon_game_events',
        ),
      finding: { id: 'risingwave-objects', component: 'risingwave', cause: /mv_leaderboard/ },
      mend: 'fix',
    },
  ];
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))('%s: the first finding, and mended', (_, fault) =>
    provoke(stack, fault, SILENT),
  );
});

test('credentials that are hard to quote: no command shows one, nor leaves it where it is not to be', async () => {
  // Not `env`, which is asked for them.
  const commands = [
    ['up', '--check'],
    ['status'],
    ['urls'],
    ['generate', 'credentials'],
    ['generate', 'sql'],
    ['verify'],
    ['logs', 'kafka'],
    ['doctor'],
    ['doctor', '--bundle', 'bundle.tar.gz'],
    ['images', 'list'],
  ];
  const folder = join(stack.root, '.forge', 'credentials');
  const written = Object.fromEntries(
    readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, string>]),
  );
  expect(Object.keys(written)).toEqual(expect.arrayContaining(['aws', 'catalog-db', 'polaris-principal', 'polaris-root', 'postgresql']));
  await expectSilence(stack, written, commands.flatMap(inBothForms));
});

describe('the cluster', () => {
  test('another one behind the same context is refused, and nothing is made there', async () => {
    // There may be room for one API server only.
    await stack.cluster.pause();
    const other = await startFakeCluster(join(stack.root, '..', 'other'), CONTEXT);
    try {
      const ran = await stack.forge<ErrorResult>([...UP, '--json'], { env: { KUBECONFIG: other.kubeconfig } });
      expect([ran.code, ran.json.error.code]).toEqual([3, 'CLUSTER_CHANGED']);
      expect(ran.json.error.message).toContain(CONTEXT);
      expect(await labelled(other.api, 'app.kubernetes.io/managed-by=forge')).toEqual([]);
    } finally {
      await other.stop();
      await stack.cluster.start();
    }
    expect(changedOf(await stack.ok<UpResult>(UP))).toEqual([]);
  });

  test('a neighbour of the same stack in the same cluster stays when down leaves nothing of its own', async () => {
    const { api } = stack.cluster;
    const labels = { 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/workspace': 'another', 'forge.dev/stack': 'balloon-popper' };
    const metadata = { name: 'kafka-neighbour', labels };
    await api.create(placeOf('Namespace'), { apiVersion: 'v1', kind: 'Namespace', metadata });
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, namespace: 'kafka-neighbour' } };
    await api.create(placeOf('Secret', 'kafka-neighbour'), secret);
    const before = await labelled(api, 'forge.dev/workspace=another');
    expect(before).toHaveLength(2);

    await stack.ok(['down', '--yes']);
    expect(await labelled(api, own())).toEqual([]);
    expect(await labelled(api, 'forge.dev/workspace=another')).toEqual(before);
    const namespaces = (await api.list(placeOf('Namespace'))).map((one) => one.metadata.name);
    expect(namespaces.filter((name) => ['kafka', 'localstack', 'polaris', 'postgresql', 'risingwave'].includes(name))).toEqual([]);
  });
});

test('no secret was in anything that forge said', () => {
  expect(stack.secretsSaid()).toEqual([]);
});
