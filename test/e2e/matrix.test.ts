import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';
import type { EnvResult, ErrorResult, GenerateEventsResult, StatusResult, UpResult } from '../../src/cli/schemas.js';
import { withPostgres } from '../../src/clients/postgresql.js';
import { Secret } from '../../src/workspace/secret.js';
import { workspaceAt } from '../../src/workspace/workspace.js';
import { killServer, pidOf } from '../helpers/faults/kill.js';
import { isLoopback, processesOf, sandbox, type Ran, type Sandbox } from '../helpers/forge.js';
import { waitFor } from '../helpers/lake.js';
import { difference, entriesIn, listeningOf, snapshot, type Listening, type Snapshot } from '../helpers/leaks.js';
import { changedOf, eventsOfTopic, expectAgreement, sumOf } from '../helpers/sums.js';

/** One stack for the whole file: the tests go on from one another, in this order. test/faults.md tells which fault is where. */
const ONCE = { retry: 0 };
const UP = ['up', '--catalog', 'iceberg-rest'];
const BIN = join(packageRoot(), 'bin', 'run.js');

let box: Sandbox;
/** Whether the workspace is a file system of its own, small enough to be filled. */
let small = false;
let nothing: Snapshot;
let ports: number[] = [];

const inForge = (...parts: string[]): string => join(box.root, '.forge', ...parts);
const stackFile = (): string => inForge('stack.json');
/** What the workspace has; while servers run, without what is theirs. */
const seen = (without?: RegExp): Snapshot =>
  snapshot(box.root, { ports, folders: [join('/var/lib/forge', workspaceAt(box.root).id)], ...(without === undefined ? {} : { without }) });
const beside = (): Snapshot => seen(/\/\.forge\/(data|logs)\/|\/var\/lib\/forge\//);

beforeAll(async () => {
  box = await sandbox();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=700m,mode=700', 'forge-e2e', box.root], { stdio: 'ignore' });
    small = true;
  } catch {
    // Only root may; the test of a full disk is left out then.
  }
  nothing = seen();
});
afterAll(async () => {
  if (existsSync(inForge())) await box.forge(['down', '--yes']);
  if (small) execFileSync('umount', ['-l', box.root]);
  await box.remove();
});

/** Runs forge behind shell words that change what it may do: a umask, a limit, a terminal. */
function inShell(words: string, args: string[], onStart?: (pid: number) => void): Promise<Pick<Ran, 'code' | 'stdout' | 'stderr'>> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', `${words} "$@"`, 'sh', process.execPath, BIN, ...args], {
      cwd: box.root,
      env: { ...process.env, FORGE_RUNTIME: 'process' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid !== undefined) onStart?.(child.pid);
    const out = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (out.stderr += text));
    child.once('close', (code) => resolve({ code, ...out }));
  });
}

/** One `up` mends everything; the next changes nothing, and no process is there but those that `status` knows. */
async function expectConverges(): Promise<UpResult> {
  const mended = await box.ok<UpResult>(['up']);
  expect(mended.failed).toBe(0);
  await expectSettled();
  return mended;
}

async function expectSettled(): Promise<void> {
  expect(changedOf(await box.ok<UpResult>(['up']))).toEqual([]);
  const { healthy, components } = await box.ok<StatusResult>(['status']);
  expect(healthy).toBe(true);
  const known = components.flatMap(({ pids }) => pids ?? []);
  expect(processesOf(box.root).filter((line) => !known.includes(Number.parseInt(line, 10)))).toEqual([]);
}

/** An error of one line, the same in both forms, without a stack trace. */
async function expectOneError(args: string[], exit: number, code: string, says: RegExp): Promise<void> {
  const [json, plain] = [await box.forge<ErrorResult>([...args, '--json']), await box.forge(args)];
  expect([json.code, plain.code], plain.stderr).toEqual([exit, exit]);
  expect(json.json.error).toMatchObject({
    code,
    message: expect.stringMatching(says) as string,
    hint: expect.stringMatching(/./) as string,
  });
  expect(plain.stderr.match(/^Error: /gm)).toHaveLength(1);
  expect(plain.stderr).not.toMatch(/^\s+at /m);
}

describe('the first up', () => {
  test('with umask 000 and 256 open files; a down meanwhile is refused, status works; nothing listens beyond loopback', ONCE, async () => {
    let pid = 0;
    let ended = false;
    const heard = new Map<string, Listening>();
    const up = inShell('umask 000; ulimit -n 256; exec', [...UP, '--json'], (started) => (pid = started)).finally(() => (ended = true));
    const listen = (async () => {
      while (!ended) {
        for (const one of listeningOf(processesOf(box.root).map((line) => Number.parseInt(line, 10))))
          heard.set(`${one.address}:${one.port}`, one);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    await waitFor(async () => expect(existsSync(inForge('lock'))).toBe(true));
    const [down, status] = await Promise.all([box.forge<ErrorResult>(['down', '--yes', '--json']), box.forge(['status'])]);
    expect(down.code).toBe(3);
    expect(down.json.error).toMatchObject({ code: 'WORKSPACE_LOCKED', message: expect.stringContaining(`pid ${pid}`) as string });
    expect(status.code).toBe(0);
    const { code, stdout, stderr } = await up;
    expect(code, stdout + stderr).toBe(0);
    await listen;

    const kept = JSON.parse(readFileSync(stackFile(), 'utf8')) as { ports: Record<string, number> };
    ports = Object.values(kept.ports);
    expect([...heard.values()].filter(({ address }) => !isLoopback(address))).toEqual([]);
    // Each of them was heard, the SQL gateway too, which runs only while a job is submitted.
    const own = ['kafka', 'kafka-controller', 'localstack', 'postgresql', 'catalog', 'flink', 'flink-rpc', 'flink-sql-gateway'];
    expect(own.filter((name) => ![...heard.values()].some(({ port }) => port === kept.ports[name]))).toEqual([]);

    const open = entriesIn(inForge()).filter(({ kind, mode }) => (kind === 'file' || kind === 'folder') && (mode & 0o077) !== 0);
    expect(open).toEqual([]);
    expect(lstatSync(inForge()).mode & 0o777).toBe(0o700);
    const credentials = entriesIn(inForge('credentials'));
    expect(credentials.length).toBeGreaterThanOrEqual(4);
    expect(new Set(credentials.map(({ mode }) => mode))).toEqual(new Set([0o600]));
    await expectSettled();
  });

  test('has no default password: PostgreSQL refuses none, common ones and other users; every credential is random', ONCE, async () => {
    const env = await box.ok<EnvResult>(['env']);
    const login = (user: string, password: string) =>
      withPostgres({ host: env.PGHOST, port: Number(env.PGPORT), user, password: new Secret(password), database: 'postgres' }, (client) =>
        client.query('SELECT 1'),
      );
    for (const user of ['forge', 'views', 'catalog', 'postgres'])
      for (const password of ['', 'postgres', 'test', 'forge', 'admin', user])
        await expect(login(user, password), `${user} ${password}`).rejects.toThrow();
    await expect(login('views', env.PGPASSWORD)).resolves.toHaveLength(1);
    for (const { path } of entriesIn(inForge('credentials'))) {
      const fields = JSON.parse(readFileSync(inForge('credentials', path), 'utf8')) as Record<string, string>;
      for (const [field, value] of Object.entries(fields))
        if (field !== 'username') expect(value, `${path} ${field}`).toMatch(/^[A-Za-z0-9]{16,}$/);
    }
  });
});

describe('.forge/stack.json', () => {
  const whole = (): string => readFileSync(stackFile(), 'utf8');
  const changedTo = (change: (kept: Record<string, unknown>) => void): void => {
    const kept = JSON.parse(whole()) as Record<string, unknown>;
    change(kept);
    writeFileSync(stackFile(), JSON.stringify(kept));
  };

  test.each<{ name: string; harm: () => void; code: string; says: RegExp }>([
    { name: 'empty', harm: () => truncateSync(stackFile()), code: 'STATE_DAMAGED', says: /stack\.json.*not JSON/ },
    { name: 'truncated', harm: () => truncateSync(stackFile(), 60), code: 'STATE_DAMAGED', says: /stack\.json.*not JSON/ },
    {
      name: 'of a newer forge',
      harm: () => changedTo((kept) => (kept['version'] = 99)),
      code: 'STATE_NEWER',
      says: /stack\.json.*newer forge/,
    },
    {
      name: 'of an engine that there is not',
      harm: () => changedTo((kept) => (kept['engine'] = 'spark')),
      code: 'STATE_DAMAGED',
      says: /engine/,
    },
  ])(
    '$name: refused with its path, nothing is changed or stopped; once it is back, up changes nothing',
    ONCE,
    async ({ harm, code, says }) => {
      const before = { text: whole(), all: beside() };
      harm();
      const harmed = whole();
      try {
        await expectOneError(['up'], 3, code, says);
        expect((await box.forge(['status'])).code).toBe(3);
        expect(whole()).toBe(harmed);
        expect(difference(before.all, beside())).toEqual([]);
      } finally {
        writeFileSync(stackFile(), before.text, { mode: 0o600 });
      }
      await expectSettled();
    },
  );

  test('a folder in its place', ONCE, async () => {
    const aside = `${stackFile()}.aside`;
    renameSync(stackFile(), aside);
    mkdirSync(stackFile());
    try {
      await expectOneError(['up'], 3, 'STATE_DAMAGED', /stack\.json/);
    } finally {
      rmSync(stackFile(), { recursive: true });
      renameSync(aside, stackFile());
    }
    await expectSettled();
  });

  test('read-only, or a symbolic link: up goes on, and never writes through the link', ONCE, async () => {
    chmodSync(stackFile(), 0o400);
    await expectSettled();
    const [text, elsewhere] = [whole(), join(box.root, 'elsewhere.json')];
    // What an older forge wrote lacks a key: it is written anew, beside the link's target.
    const { id, ...older } = JSON.parse(text) as Record<string, unknown>;
    expect(id).toMatch(/^[0-9a-f]+$/);
    writeFileSync(elsewhere, JSON.stringify(older));
    rmSync(stackFile());
    symlinkSync(elsewhere, stackFile());
    expect(readlinkSync(stackFile())).toBe(elsewhere);
    await expectSettled();
    expect(readFileSync(elsewhere, 'utf8')).toBe(JSON.stringify(older));
    expect([lstatSync(stackFile()).isFile(), lstatSync(stackFile()).mode & 0o777, whole()]).toEqual([true, 0o600, text]);
    rmSync(elsewhere);
  });

  test('of an older forge, which knew fewer ports, and of a later one of the same version, which notes more', ONCE, async () => {
    const text = whole();
    changedTo((kept) => {
      const known = kept['ports'] as Record<string, number>;
      kept['ports'] = Object.fromEntries(
        Object.entries(known).filter(([name]) => !['risingwave', 'k3d-api', 'catalog-management'].includes(name)),
      );
      kept['later'] = { some: 'thing' };
    });
    await expectSettled();
    const { ports: now } = JSON.parse(whole()) as { ports: Record<string, number> };
    expect(now).toMatchObject({ kafka: (JSON.parse(text) as { ports: Record<string, number> }).ports['kafka'] });
    expect(Object.keys(now)).toContain('risingwave');
  });
});

describe('the lock', () => {
  test('of another machine: refused with its name, and free once its file is removed', ONCE, async () => {
    const holder = {
      pid: 1,
      startTime: '1',
      bootId: 'another-boot',
      host: `not-${hostname()}`,
      command: 'up',
      since: '2026-01-01T00:00:00Z',
      token: 'x',
    };
    writeFileSync(inForge('lock'), JSON.stringify(holder));
    try {
      await expectOneError(['up'], 3, 'WORKSPACE_LOCKED', new RegExp(`pid 1 on not-${hostname()}`));
      expect((await box.forge(['status'])).code).toBe(0);
    } finally {
      rmSync(inForge('lock'));
    }
    await expectSettled();
  });
});

describe('limits and terminals', () => {
  test('too few open files, files that may not grow: said in one line, nothing changed', ONCE, async () => {
    const before = beside();
    for (const files of [40, 60]) {
      const few = await inShell(`ulimit -n ${files}; exec`, ['up']);
      expect(few.code, few.stderr).toBe(3);
      expect(few.stderr).toMatch(/^Error: .*no more files.*\nHint: .*ulimit -n/m);
      expect(few.stderr).not.toMatch(/^\s+at /m);
    }
    rmSync(stackFile());
    const short = await inShell('ulimit -f 0; exec', [...UP, '--json']);
    expect(short.code, short.stdout).toBe(3);
    expect((JSON.parse(short.stdout) as ErrorResult).error.code).toBe('FILE_TOO_LARGE');
    // As the hint of a damaged one says: servers and data are found again without it.
    const again = await box.ok<UpResult>(UP);
    expect(changedOf(again)).toEqual([]);
    expect(difference(before, beside())).toEqual([]);
    await expectSettled();
  });

  test('stdout that nobody reads ends forge with 141 and without a word; a closed one with its own exit code', ONCE, async () => {
    const status = await inShell('exec >&-; exec', ['status']);
    expect([status.code, status.stderr]).toEqual([0, '']);
    const child = spawn(process.execPath, [BIN, 'logs', 'kafka'], { cwd: box.root, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, stderr]).toEqual([141, '']);
  });

  /** @throws Error where `script` is not that of util-linux, which can run a command on a terminal of its own */
  const requireScript = (): void => {
    let version = '';
    try {
      version = execFileSync('script', ['--version'], { encoding: 'utf8' });
    } catch {
      // Said below.
    }
    if (!version.includes('util-linux'))
      throw new Error('`script` of util-linux is needed for a terminal (Debian: apt-get install bsdutils)');
  };

  test(
    'a terminal of 40 columns, NO_COLOR and TERM=dumb: no colour where none is wanted, no line breaks off, no prompt',
    ONCE,
    async () => {
      requireScript();
      const onTerminal = (variables: string, args: string): string =>
        execFileSync(
          'script',
          ['-qec', `stty cols 40 rows 20; ${variables} ${process.execPath} ${BIN} ${args}; echo "exit=$?"`, '/dev/null'],
          {
            cwd: box.root,
            encoding: 'utf8',
            env: { ...process.env, FORGE_RUNTIME: 'process', NO_COLOR: '' },
            timeout: 60_000,
          },
        );

      const colour = /\u001B\[[0-9;]*m/;
      for (const [variables, args] of [
        ['NO_COLOR=1', 'up'],
        ['NO_COLOR=1 TERM=dumb', 'up'],
        ['NO_COLOR=1', 'status'],
        ['NO_COLOR=1', 'doctor'],
      ] as const) {
        const text = onTerminal(variables, args);
        expect(text, text).toMatch(/exit=0/);
        expect(text).not.toMatch(colour);
        expect(text).not.toMatch(/\?.*\(y\/N\)|^\s+at /im);

        if (variables.includes('dumb')) expect(text).not.toMatch(/\u001B/);
      }
      // A live display takes no more than a line of the terminal for each of its own: else it would not find its start again.

      const live = onTerminal('NO_COLOR=1', 'up').split(/\r?\n|\u001B\[[0-9]*[A-Z]/);
      expect(live.filter((line) => /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✔]/.test(line) && line.length > 40)).toEqual([]);
    },
  );
});

describe('signals', () => {
  const SERVER = 'iceberg-rest';
  const CASES = [
    { signal: 'SIGINT', phase: 'before' },
    { signal: 'SIGTERM', phase: 'during' },
    { signal: 'SIGINT', phase: 'after' },
    { signal: 'SIGKILL', phase: 'during' },
    { signal: 'SIGKILL', phase: 'after' },
  ] as const;

  test.each(CASES)(
    '$signal $phase the step that starts a server: exit code, nothing left over, the next up converges',
    ONCE,
    async ({ signal, phase }) => {
      const before = beside();
      await killServer(box, SERVER);
      let sent = false;
      let rest = '';
      const ran = await new Promise<Ran>((resolve, reject) => {
        let kill = (): void => undefined;
        box
          .forge(['up', '--output', 'ndjson'], {
            onStart: (child) => (kill = () => void child.kill(signal)),
            onStdout: (text) => {
              const lines = (rest + text).split('\n');
              rest = lines.pop() ?? '';
              for (const line of lines) {
                const { id, state } = JSON.parse(line) as { id?: string; state?: string };
                const now =
                  phase === 'before' ? state === 'observing' : id === SERVER && state === (phase === 'during' ? 'applying' : 'verifying');
                if (now && !sent) {
                  sent = true;
                  kill();
                }
              }
            },
          })
          .then(resolve, reject);
      });
      expect(sent).toBe(true);
      expect([ran.code, ran.signal]).toEqual({ SIGINT: [130, null], SIGTERM: [143, null], SIGKILL: [null, 'SIGKILL'] }[signal]);
      if (signal !== 'SIGKILL') expect(existsSync(inForge('lock'))).toBe(false);
      expect(changedOf(await box.ok<UpResult>(['up']))).toEqual(expect.arrayContaining(phase === 'before' ? [SERVER] : []));
      const kinds = ({ processes, ports: heard }: Snapshot): Snapshot => ({ processes, ports: heard, files: [] });
      await waitFor(async () => expect(difference(kinds(before), kinds(seen()))).toEqual([]));
      expect(entriesIn(inForge()).filter(({ path }) => /^[^/]*\.tmp$|^lock|^run\/.*\.tmp$/.test(path))).toEqual([]);
      await expectSettled();
    },
  );

  test('a second Ctrl-C while a server hangs ends at once; the lock is there to be had', ONCE, async () => {
    const pid = pidOf(box, SERVER);
    process.kill(pid, 'SIGSTOP');
    try {
      let kill = (): void => undefined;
      let second = 0;
      const running = box.forge(['up', '--output', 'ndjson'], {
        onStart: (child) => (kill = () => void child.kill('SIGINT')),
        onStdout: (text) => {
          if (second > 0 || !text.includes(`"id":"${SERVER}"`) || !text.includes('observing')) return;
          kill();
          second = performance.now();
          setTimeout(kill, 20);
        },
      });
      const { code, signal } = await running;
      // A signal that meets Node as it goes ends it by that signal: the same 130 to a shell.
      expect(signal === 'SIGINT' ? 130 : code).toBe(130);
      expect(performance.now() - second).toBeLessThan(10_000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await expectConverges();
  });
});

describe('a port', () => {
  const servers: Server[] = [];
  afterAll(() => servers.forEach((server) => server.close()));
  const listenOn = (port: number, host: string): Promise<Server> =>
    new Promise((resolve, reject) => {
      // Whoever looks for Kafka there is sent away: an open connection would hold the port.
      const server = createServer((socket) => socket.destroy());
      servers.push(server);
      server.once('error', reject).listen(port, host, () => resolve(server));
    });
  const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

  test(
    'that somebody takes after it was looked at, while its server starts: said with who has it; once it is free, up converges',
    ONCE,
    async () => {
      const { KAFKA_BOOTSTRAP_SERVERS } = await box.ok<EnvResult>(['env']);
      const port = Number(KAFKA_BOOTSTRAP_SERVERS.split(':')[1]);
      await killServer(box, 'kafka');
      let taking: Promise<Server> | undefined;
      const ran = await box.forge(['up', '--output', 'ndjson'], {
        onStdout: (text) => {
          if (taking === undefined && text.split('\n').some((line) => line.includes('"id":"kafka"') && line.includes('applying')))
            taking = listenOn(port, '127.0.0.1');
        },
      });
      expect(taking).toBeDefined();
      const taken = await taking!;
      expect((taken.address() as AddressInfo).port).toBe(port);
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      const result = JSON.parse(ran.stdout.trim().split('\n').at(-1)!) as ErrorResult;
      expect(result.error).toMatchObject({
        code: 'PORT_TAKEN',
        message: expect.stringMatching(new RegExp(`${port}.*process ${process.pid} `)) as string,
      });
      await close(taken);
      await expectConverges();
      expect((await box.ok<EnvResult>(['env'])).KAFKA_BOOTSTRAP_SERVERS).toBe(KAFKA_BOOTSTRAP_SERVERS);
    },
  );
});

describe('while events flow', () => {
  const RATE = 150;

  /** Plays for some seconds beside what `disturb` does; every event is acknowledged, and the sums agree exactly afterwards. */
  async function whileEventsFlow(seconds: number, why: string, disturb: () => Promise<void>): Promise<void> {
    const before = sumOf(await eventsOfTopic(await box.ok<EnvResult>(['env'])));
    const count = RATE * seconds;
    const playing = box.ok<GenerateEventsResult>(['generate', 'events', '--count', String(count), '--rate', String(RATE)]);
    // Awaited below; what fails before that is told first.
    playing.catch(() => undefined);
    await waitFor(async () => expect(sumOf(await eventsOfTopic(await box.ok<EnvResult>(['env'])))).toBeGreaterThan(before + RATE));
    await disturb();
    expect(await playing).toMatchObject({ sent: count, acknowledged: count });
    await expectAgreement(box, why);
    expect(sumOf(await eventsOfTopic(await box.ok<EnvResult>(['env'])))).toBeGreaterThanOrEqual(before + count);
    await expectSettled();
  }

  const stateOf = async (component: string): Promise<string | undefined> =>
    (await box.ok<StatusResult>(['status'])).components.find(({ name }) => name === component)?.state;

  interface Restored {
    id: string;
    restored: { id: number } | null;
  }
  async function runningJob(): Promise<Restored> {
    const { FLINK_URL } = await box.ok<EnvResult>(['env']);
    const get = async <T>(path: string): Promise<T> => (await (await fetch(`${String(FLINK_URL)}${path}`)).json()) as T;
    const { jobs } = await get<{ jobs: { jid: string; state: string }[] }>('/jobs/overview');
    const active = jobs.filter(({ state }) => !['FAILED', 'CANCELED', 'FINISHED'].includes(state));
    expect(active).toHaveLength(1);
    const { latest } = await get<{ latest: { restored: { id: number } | null } }>(`/jobs/${active[0]!.jid}/checkpoints`);
    return { id: active[0]!.jid, restored: latest.restored };
  }

  test('the TaskManager is killed: up starts it, the same job goes on from its checkpoint', ONCE, async () => {
    await box.ok(['generate', 'events', '--count', '300']);
    await expectAgreement(box, 'before the TaskManager dies');
    const { id } = await runningJob();
    await whileEventsFlow(12, 'TaskManager killed', async () => {
      await killServer(box, 'flink-taskmanager');
      expect(await stateOf('flink')).toBe('degraded');
      expect(changedOf(await box.ok<UpResult>(['up']))).toContain('flink-taskmanager');
    });
    const after = await runningJob();
    expect(after.id).toBe(id);
    expect(after.restored?.id).toBeGreaterThan(0);
  });

  test('the catalog is away for a while', ONCE, async () => {
    await whileEventsFlow(12, 'catalog away', async () => {
      await killServer(box, 'iceberg-rest');
      expect(await stateOf('iceberg-rest')).toBe('dead');
      // Some checkpoints have nowhere to commit to meanwhile.
      const env = await box.ok<EnvResult>(['env']);
      const sofar = sumOf(await eventsOfTopic(env));
      await waitFor(async () => expect(sumOf(await eventsOfTopic(env))).toBeGreaterThan(sofar + 5 * RATE));
      expect(changedOf(await box.ok<UpResult>(['up']))).toContain('iceberg-rest');
    });
  });

  test('PostgreSQL is stopped and started again', ONCE, async () => {
    await whileEventsFlow(12, 'PostgreSQL restarted', async () => {
      const pid = pidOf(box, 'postgresql');
      process.kill(pid, 'SIGINT');
      await waitFor(async () => expect(processesOf(box.root).some((line) => line.startsWith(`${pid} `))).toBe(false));
      expect(await stateOf('postgresql')).toBe('dead');
      expect(changedOf(await box.ok<UpResult>(['up']))).toContain('postgresql');
    });
  });

  test('S3 hangs for a minute: status says so, and it all goes on by itself', ONCE, async () => {
    const pid = pidOf(box, 'localstack');
    await whileEventsFlow(45, 'S3 frozen', async () => {
      process.kill(pid, 'SIGSTOP');
      try {
        const since = performance.now();
        expect(await stateOf('localstack')).toBe('failing');
        // The fault itself lasts that long.
        await new Promise((resolve) => setTimeout(resolve, 60_000 - (performance.now() - since)));
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    });
    expect(pidOf(box, 'localstack')).toBe(pid);
  });

  test(
    'the disk is full: what cannot be written is said; with space again one up converges, and what was acknowledged is there',
    ONCE,
    async ({ skip }) => {
      if (!small) skip();
      const filler = join(box.root, 'filler');
      const env = await box.ok<EnvResult>(['env']);
      const before = await eventsOfTopic(env);
      const playing = box.forge<GenerateEventsResult & Partial<ErrorResult>>([
        'generate',
        'events',
        '--count',
        '4000',
        '--rate',
        '200',
        '--json',
      ]);
      await waitFor(async () => expect(sumOf(await eventsOfTopic(env))).toBeGreaterThan(sumOf(before) + 200));
      // Servers give space back meanwhile (old logs, old checkpoints): it is taken as soon as it is there.
      const fill = (): void => {
        spawnSync('sh', ['-c', `cat /dev/zero >>'${filler}'`], { stdio: 'ignore' });
      };
      fill();
      const filling = setInterval(fill, 20);
      try {
        const ran = await box.forge<ErrorResult>(['up', '--json']);
        expect([3, 4], ran.stdout).toContain(ran.code);
        expect(ran.json.error.message).toMatch(/no space left/i);
      } finally {
        clearInterval(filling);
        rmSync(filler);
      }
      const { json } = await playing;
      await expectConverges();
      const totals = await expectAgreement(box, 'disk full');
      expect(sumOf(totals)).toBeGreaterThan(0);
      const arrived = sumOf(await eventsOfTopic(env)) - sumOf(before);
      expect(arrived).toBeGreaterThanOrEqual(json.acknowledged);
      expect(arrived).toBeLessThanOrEqual(json.sent);
    },
  );
});

test('down with a damaged stack.json takes everything away: no process, no port and no file is left', ONCE, async () => {
  truncateSync(stackFile(), 10);
  await box.ok(['down', '--yes']);
  expect(difference(nothing, seen())).toEqual([]);
});
