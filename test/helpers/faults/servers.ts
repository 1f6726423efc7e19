import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvResult } from '../../../src/cli/schemas.js';
import { withKafka } from '../../../src/clients/kafka.js';
import { withPostgres, type PostgresClient, type PostgresTarget } from '../../../src/clients/postgresql.js';
import { Secret } from '../../../src/workspace/secret.js';
import type { Sandbox } from '../forge.js';
import { listens, restartByHand } from './by-hand.js';
import type { Fault } from './fault.js';
import { killServer, pidOf } from './kill.js';
import { s3Of } from './lake.js';

const SERVERS = ['kafka', 'localstack', 'postgresql', 'iceberg-rest', 'flink-jobmanager', 'flink-taskmanager'];

const freeze = (box: Sandbox, name: string): (() => void) => {
  const pid = pidOf(box, name);
  process.kill(pid, 'SIGSTOP');
  return () => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It was mended.
    }
  };
};

const portOf = (box: Sandbox, name: string): number =>
  (JSON.parse(readFileSync(join(box.root, '.forge', 'stack.json'), 'utf8')) as { ports: Record<string, number> }).ports[name]!;

function superuser(box: Sandbox): PostgresTarget {
  const file = join(box.root, '.forge', 'credentials', 'postgresql.json');
  const { username, password } = JSON.parse(readFileSync(file, 'utf8')) as { username: string; password: string };
  return { host: '127.0.0.1', port: portOf(box, 'postgresql'), user: username, password: new Secret(password), database: 'postgres' };
}

/** Statements of the superuser, one after the other. */
const asSuperuser = (box: Sandbox, ...statements: string[]): Promise<undefined> =>
  withPostgres(superuser(box), async (client) => {
    for (const statement of statements) await client.query(statement);
    return undefined;
  });

const kafkaOf = (box: Sandbox): string => `127.0.0.1:${portOf(box, 'kafka')}`;

/** Opens connections until hardly one is left; gives what closes them. */
async function takeConnections(box: Sandbox): Promise<() => Promise<void>> {
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const closed: Promise<void>[] = [];
  const used = async (client: PostgresClient): Promise<number> =>
    (await client.query<{ n: number }>("SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'"))[0]!.n;
  await withPostgres(superuser(box), async (client) => {
    while ((await used(client)) < 52)
      await new Promise<void>((opened, failed) => {
        closed.push(withPostgres(superuser(box), () => (opened(), held), { alone: true }).catch(failed));
      });
  });
  return async () => {
    letGo();
    await Promise.all(closed);
  };
}

/** What doctor says of a server that was killed. */
export const killedFinding = (component: string): Fault['finding'] => ({
  id: 'server-down',
  component,
  cause: /was killed without a word|said before/,
});

// Kafka, LocalStack and the JobManager: test/e2e/faults.test.ts, with what becomes of the events.
const killed = (name: string, component: string, what: string): Fault => ({
  name: `${what} is killed`,
  inject: (box) => killServer(box, name),
  finding: killedFinding(component),
  mend: 'fix',
});

const frozen = (name: string, component: string, what: string): Fault => ({
  name: `${what} is frozen (SIGSTOP)`,
  inject: (box) => freeze(box, name),
  finding: { id: 'server-hung', component, cause: new RegExp(`Process \\d+ \\(${name}\\) is stopped`) },
  mend: 'fix',
});

const processes: Fault[] = [
  frozen('kafka', 'kafka', 'the broker'),
  killed('postgresql', 'postgresql', 'PostgreSQL'),
  killed('iceberg-rest', 'iceberg-rest', 'the catalog'),
  frozen('flink-taskmanager', 'flink', 'the TaskManager'),
  {
    name: 'every server is killed at once',
    async inject(box) {
      await Promise.all(SERVERS.map((name) => killServer(box, name)));
      return undefined;
    },
    finding: { id: 'server-down', component: 'kafka', cause: /kafka \(pid \d+/ },
    mend: 'fix',
  },
  {
    name: 'a heap is changed in forge.yaml, without `forge up`',
    inject(box) {
      const file = join(box.root, 'forge.yaml');
      writeFileSync(file, 'components:\n  kafka:\n    heap: 300m\n');
      return async () => {
        rmSync(file);
        await box.ok(['up']);
      };
    },
    finding: { id: 'server-settings', component: 'kafka', cause: /kafka: its program changed/ },
    mend: 'fix',
  },
  {
    name: 'a server raises an alarm in its log',
    inject(box) {
      const file = join(box.root, '.forge', 'logs', 'iceberg-rest.log');
      const { length } = readFileSync(file);
      const now = new Date().toISOString().replace('T', ' ').replace('.', ',').slice(0, 23);
      appendFileSync(file, `${now} ERROR Handler - java.lang.OutOfMemoryError: Java heap space\n`);
      return () => truncateSync(file, length);
    },
    finding: { id: 'server-log', component: 'iceberg-rest', severity: 'warning', cause: /OutOfMemoryError: Java heap space/ },
    mend: 'undo',
  },
];

const kafka: Fault[] = [
  {
    name: 'Kafka is restarted by hand with a listener on all interfaces',
    async inject(box) {
      const port = portOf(box, 'kafka');
      await restartByHand(box, 'kafka', 'kafka/server.properties', (text) =>
        text.replace(`listeners=PLAINTEXT://127.0.0.1:${port}`, `listeners=PLAINTEXT://0.0.0.0:${port}`),
      );
      await listens(port);
      return undefined;
    },
    finding: { id: 'server-listens', component: 'kafka', cause: /listens on port \d+ of all interfaces/ },
    mend: 'fix',
  },
  {
    name: 'Kafka is restarted by hand with another advertised port',
    async inject(box) {
      const port = portOf(box, 'kafka');
      await restartByHand(box, 'kafka', 'kafka/server.properties', (text) =>
        text.replace(/^advertised\.listeners=.*$/m, 'advertised.listeners=PLAINTEXT://127.0.0.1:1'),
      );
      await listens(port);
      return undefined;
    },
    finding: { id: 'kafka-advertised', component: 'kafka', cause: /tells its clients to use 127\.0\.0\.1:1\b.*advertised\.listeners/s },
    mend: 'fix',
  },
  {
    name: 'the topic is deleted',
    inject: (box) => withKafka(kafkaOf(box), async (admin) => void (await admin.deleteTopic('balloon-game'))).then(() => undefined),
    finding: { id: 'topic-missing', component: 'kafka', cause: /topic: no topic balloon-game/ },
    mend: 'fix',
  },
  {
    name: 'the topic has another number of partitions than forge.yaml says',
    inject(box) {
      const file = join(box.root, 'forge.yaml');
      writeFileSync(file, 'topic:\n  partitions: 3\n');
      return async () => {
        rmSync(file);
        await withKafka(kafkaOf(box), (admin) => admin.deleteTopic('balloon-game'));
        await box.ok(['up']);
      };
    },
    finding: { id: 'topic-settings', component: 'kafka', cause: /partitions is \d+, should be 3/ },
    mend: 'fix',
  },
];

const storage: Fault[] = [
  {
    name: 'the bucket is deleted',
    async inject(box) {
      const bucket = 'balloon-game';
      await (await s3Of(box)).deleteBucket(bucket);
      return undefined;
    },
    finding: { id: 'bucket-missing', component: 'localstack', cause: /bucket: no bucket/ },
    mend: 'fix',
  },
  {
    name: "the superuser's password is changed inside PostgreSQL",
    inject: (box) => asSuperuser(box, `ALTER ROLE "${superuser(box).user}" PASSWORD 'of-somebody-else'`),
    finding: { id: 'postgresql-answers', component: 'postgresql', cause: /refuses the password of user/ },
    mend: 'fix',
  },
  {
    name: 'the password of the views is changed inside PostgreSQL',
    inject: (box) => asSuperuser(box, "ALTER ROLE views PASSWORD 'of-somebody-else'"),
    finding: { id: 'postgresql-objects', component: 'postgresql', cause: /views-role: its password is another one/ },
    mend: 'fix',
  },
  {
    name: "the catalog's role may not log in any more",
    inject: (box) => asSuperuser(box, 'ALTER ROLE catalog NOLOGIN'),
    finding: { id: 'postgresql-objects', component: 'postgresql', cause: /catalog-role: it may not log in/ },
    mend: 'fix',
  },
  {
    name: 'the database of the views is dropped',
    async inject(box) {
      const { PGDATABASE } = await box.ok<EnvResult>(['env']);
      return asSuperuser(box, `DROP DATABASE "${PGDATABASE}" WITH (FORCE)`);
    },
    finding: { id: 'postgresql-objects', component: 'postgresql', cause: /views-database: no database/ },
    mend: 'fix',
  },
  {
    name: 'PostgreSQL is set to read-only',
    async inject(box) {
      await asSuperuser(box, 'ALTER SYSTEM SET default_transaction_read_only = on', 'SELECT pg_reload_conf()');
      return () => asSuperuser(box, 'ALTER SYSTEM RESET default_transaction_read_only', 'SELECT pg_reload_conf()');
    },
    finding: { id: 'postgresql-writable', component: 'postgresql', cause: /default_transaction_read_only is on/ },
    mend: 'undo',
  },
  {
    name: 'hardly a connection of PostgreSQL is left',
    inject: takeConnections,
    finding: { id: 'postgresql-connections', component: 'postgresql', severity: 'warning', cause: /By user: \S+ \d+/ },
    mend: 'undo',
  },
];

export const serversFaults: readonly Fault[] = [...processes, ...kafka, ...storage];
