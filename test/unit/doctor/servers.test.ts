import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Trouble } from '../../../src/doctor/check.js';
import { ALARM } from '../../../src/doctor/checks/servers/alarms.js';
import { unreadyNodes } from '../../../src/doctor/checks/servers/cluster-reachable.js';
import { howItEnded } from '../../../src/doctor/checks/servers/how-it-ended.js';
import { breakdownOf } from '../../../src/doctor/checks/servers/pod-restarted.js';
import { openSockets, trouble } from '../../../src/doctor/checks/servers/server-listens.js';
import { alarmIn } from '../../../src/doctor/checks/servers/server-log.js';
import { limitOf, nearLimit, podsNearLimit } from '../../../src/doctor/checks/servers/server-memory.js';
import { firstFailure, podTrouble, silentTrouble } from '../../../src/doctor/checks/servers/unwell-pods.js';
import type { ContainerStatus, KubeEvent, Pod } from '../../../src/runtimes/kubernetes/pod-types.js';
import type { ProcessState } from '../../../src/runtimes/types.js';
import { bootId } from '../../../src/workspace/identity.js';
import type { Workspace } from '../../../src/workspace/workspace.js';
import { placeOf } from '../../helpers/doctor-place.js';

const MIB = 2 ** 20;
const pod = (status: Pod['status'], more: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'kafka-0', namespace: 'kafka', uid: 'u1', ...more },
  status: status ?? {},
});
const container = (more: Partial<ContainerStatus>): Pod =>
  pod({ phase: 'Running', containerStatuses: [{ name: 'kafka', restartCount: 1, ready: false, ...more }] });

describe('a pod that cannot come up', () => {
  const told = (one: Pod, events: KubeEvent[] = []): [string, string] | undefined => {
    const found = firstFailure([one], events, { kafka: 'apache/kafka:4' });
    if (found === undefined) return undefined;
    const { title, cause } = podTrouble('kafka', 'kafka', { ...found, detail: ['  it said this'] });
    return [title, cause];
  };
  it.each<[string, Pod, RegExp, RegExp]>([
    [
      'its image cannot be pulled',
      container({ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x": not found' } } }),
      /^kafka cannot come up: ImagePullBackOff$/,
      /^Pod kafka\/kafka-0, container kafka: .*not found/,
    ],
    [
      'it ends again and again',
      container({
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 1, reason: 'Error' } },
        restartCount: 4,
      }),
      /^kafka cannot come up: CrashLoopBackOff$/,
      /exit code 1[\s\S]*Its last words:\n {2}it said this$/,
    ],
    [
      'it needs more memory than it may have',
      container({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }),
      /^kafka cannot come up: OOMKilled$/,
      /OOMKilled \(exit code 137\)/,
    ],
    [
      'no node has room',
      pod({
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: Insufficient memory' }],
      }),
      /^kafka cannot come up: /,
      /Insufficient memory/,
    ],
  ])('%s', (_, one, title, cause) => {
    const [is, because] = told(one) ?? ['', ''];
    expect(is).toMatch(title);
    expect(because).toMatch(cause);
  });

  it('is none that is only starting, nor the pod of a Job', () => {
    expect(told(container({ state: { waiting: { reason: 'ContainerCreating' } }, restartCount: 0 }))).toBeUndefined();
    const lastState = { terminated: { exitCode: 1 } };
    const crashing = { name: 'kafka', restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState };
    const ofJob = pod({ containerStatuses: [crashing] }, { labels: { 'batch.kubernetes.io/job-name': 'realm' } });
    expect(told(ofJob)).toBeUndefined();
  });
});

describe('a pod that broke down and serves again', () => {
  const now = Date.parse('2026-11-21T12:10:00Z');
  const after = (exitCode: number, reason: string, finishedAt = '2026-11-21T12:00:00Z'): string[] =>
    breakdownOf(
      'kafka',
      container({ ready: true, state: { running: {} }, lastState: { terminated: { exitCode, reason, finishedAt } } }),
      now,
    ).map(({ title }) => title);
  it('is told with how it ended, unless it was told to end, or long ago', () => {
    expect(after(137, 'OOMKilled')).toEqual(['kafka broke down and was started again: OOMKilled']);
    expect(after(3, 'Error')).toEqual(['kafka broke down and was started again: exit code 3']);
    expect([after(143, 'Error'), after(137, 'Error'), after(255, 'Unknown'), after(0, 'Completed')].flat()).toEqual([]);
    expect(after(3, 'Error', '2026-11-21T11:00:00Z')).toEqual([]);
  });
});

describe('alarms in logs', () => {
  const now = Date.parse('2026-11-21T12:10:00Z');
  const alarms = (lines: string[], since = 0): string[] =>
    alarmIn({ component: 'kafka', name: 'kafka', since, lines }, now).map(({ cause }) => cause);
  const oom = '2026-11-21 12:09:00,001 ERROR x - java.lang.OutOfMemoryError: Java heap space';

  it('are told once a server, with the newest line', () => {
    expect(alarms([oom, '2026-11-21 12:09:30,000 ERROR y - No space left on device'])).toEqual([
      '2026-11-21T12:09:30.000Z: 2026-11-21 12:09:30,000 ERROR y - No space left on device (2 such lines in the last 10 minutes)',
    ]);
  });
  it('a line without a time has that of the line before', () => {
    expect(alarms(['2026-11-21 12:09:00,001 ERROR x', 'java.lang.OutOfMemoryError: Metaspace'])).toHaveLength(1);
    expect(alarms(['java.lang.OutOfMemoryError: Metaspace'])).toEqual([]);
  });
  it('old ones, and those of before the start of the server, are not told', () => {
    expect(alarms(['2026-11-21 11:59:00,001 ERROR x - java.lang.OutOfMemoryError: Java heap space'])).toEqual([]);
    expect(alarms([oom], Date.parse('2026-11-21T12:09:30Z'))).toEqual([]);
  });
  it.each([
    'Program arguments: -XX:+ExitOnOutOfMemoryError -XX:+HeapDumpOnOutOfMemoryError',
    '2026-11-21 12:09:00.000 UTC [12] FATAL:  password authentication failed for user "views"',
    '2026-11-21 12:09:00.000 UTC [12] FATAL:  terminating connection due to administrator command',
    '2026-11-21 12:09:00.000 UTC [12] FATAL:  the database system is starting up',
    '2026-11-21 12:09:00,001 WARN  the producer has an error',
  ])('none: %s', (line) => expect(ALARM.test(line)).toBe(false));
  it.each([
    '2026-11-21 12:09:00.000 UTC [12] PANIC:  could not write to file "pg_wal/xlogtemp.12": No space left on device',
    '2026-11-21 12:09:00.000 UTC [12] FATAL:  sorry, too many clients already',
    'java.io.IOException: Too many open files',
  ])('one: %s', (line) => expect(ALARM.test(line)).toBe(true));
});

describe('memory', () => {
  it('is told from 95 % of the limit on', () => {
    expect(nearLimit('kafka', 94 * MIB, 100 * MIB, 'pod kafka/kafka-0')).toEqual([]);
    expect(nearLimit('kafka', 96 * MIB, 100 * MIB, 'pod kafka/kafka-0')[0]?.cause).toMatch(/96 MiB of the 100 MiB that pod kafka\/kafka-0/);
    expect(nearLimit('kafka', 96 * MIB, Number('max'), 'its group')).toEqual([]);
  });
  it('a pod that has a limit, and that no kubelet tells of, has not passed', () => {
    const limited: Pod = {
      ...pod({ phase: 'Running' }),
      spec: { containers: [{ name: 'kafka', resources: { limits: { memory: '100Mi' } } }] },
    };
    const stack = { catalog: 'polaris', engine: 'flink' } as const;
    const near = (one: Pod, used: [string, number][]) => podsNearLimit(stack, [one], new Map(used));
    expect(near(limited, [['kafka/kafka-0', 10 * MIB]])).toEqual([]);
    expect(near(limited, [['kafka/kafka-0', 99 * MIB]])).toHaveLength(1);
    expect(() => near(limited, [])).toThrow('nobody tells the memory of pod kafka/kafka-0');
    // Neither one without a limit nor one that has ended.
    expect([...near(pod({ phase: 'Running' }), []), ...near({ ...limited, status: { phase: 'Failed' } }, [])]).toEqual([]);
  });
  it('a pod has a limit when all of its containers have one', () => {
    const limited = (...memory: (string | undefined)[]): Pod => ({
      ...pod({}),
      spec: {
        containers: memory.map((one, at) => ({ name: `c${at}`, ...(one === undefined ? {} : { resources: { limits: { memory: one } } }) })),
      },
    });
    expect([limitOf(limited('512Mi', '1Gi')), limitOf(limited('512Mi', undefined))]).toEqual([1536 * MIB, undefined]);
  });
});

it('sockets that listen beyond loopback are found in the tables of the kernel', () => {
  const row = (address: string, state: string, inode: string): string =>
    `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000 100 0 0 10 0`;
  const tables = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    row('00000000:1F90', '0A', '11'),
    row('0100007F:1F91', '0A', '12'),
    row('0A01A8C0:1F92', '0A', '13'),
    row('00000000:1F93', '01', '14'),
    row('00000000000000000000000000000000:1F94', '0A', '15'),
    row('00000000000000000000000001000000:1F95', '0A', '16'),
    row('0000000000000000FFFF00000100007F:1F96', '0A', '17'),
  ].join('\n');
  expect(Object.fromEntries(openSockets(tables))).toEqual({
    'socket:[11]': 'port 8080 of all interfaces',
    'socket:[13]': 'port 8082 of 192.168.1.10',
    'socket:[15]': 'port 8084 of all interfaces',
  });
});

it('a server that listens beyond this machine is restarted; LocalStack, which forgets everything then, by hand only', () => {
  const listening = (component: string): Trouble => {
    const server = { name: component, component, pid: 7, pids: [7], state: 'running' } as unknown as ProcessState;
    return trouble(placeOf({}), server, ['port 4566 of all interfaces']);
  };
  expect(listening('kafka').fix).toMatchObject({ does: expect.stringContaining('restarts kafka') as string, up: true });
  expect(listening('localstack')).toMatchObject({ title: 'localstack listens beyond this machine' });
  expect(listening('localstack').fix).toBeUndefined();
  expect(listening('localstack').remedy).toMatch(/^`kill 7`, then `forge up`: .*forgets all its objects/);
});

it('a pod that is ready and does not answer: deleting it is said to cost what is in memory', () => {
  const remedy = (name: string): string =>
    silentTrouble({ name, state: 'failing', endpoint: '', residentBytes: 0, pods: ['p'] }, 'x').remedy;
  expect(remedy('localstack')).toMatch(/delete pod p.*forgets all its objects/);
  expect(remedy('kafka')).not.toMatch(/forgets/);
});

it('a cluster is lost when none of its nodes is ready', () => {
  const node = (name: string, status: string) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { conditions: [{ type: 'Ready', status, message: 'Kubelet stopped posting node status.' }] },
  });
  expect(unreadyNodes('kind', [node('a', 'Unknown'), node('b', 'True')])).toEqual([]);
  expect(unreadyNodes('kind', [])).toEqual([]);
  expect(unreadyNodes('kind', [node('a', 'Unknown')])[0]?.cause).toBe('a: Kubelet stopped posting node status.');
});

describe('how a server ended', () => {
  let root = '';
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'forge-ended-'));
    for (const folder of ['run', 'logs']) mkdirSync(join(root, folder));
  });
  afterAll(() => rmSync(root, { recursive: true }));
  const ended = (log: string[], started = `${bootId()}:1`): Promise<string> => {
    const before = 'FATAL of an earlier life\n';
    writeFileSync(join(root, 'run', 'kafka.json'), JSON.stringify({ pid: 77, started, startedAt: 'T', name: 'kafka', log: before.length }));
    writeFileSync(join(root, 'logs', 'kafka.log'), before + log.map((line) => `${line}\n`).join(''));
    return howItEnded({ run: join(root, 'run'), logs: join(root, 'logs') } as Workspace, 'kafka');
  };
  it.each<[string, string[], RegExp]>([
    [
      'without a word',
      ['INFO all is well'],
      /^\(pid 77, started T\) was killed without a word \(kill -9, or the kernel.*said: INFO all is well/,
    ],
    ['in order', ['LOG:  received fast shutdown request', 'LOG:  database system is shut down'], /was stopped in order.*fast shutdown/],
    [
      'with an alarm',
      ['ERROR java.lang.OutOfMemoryError: heap', '\tat x.y(Z.java)', 'INFO shut down completed'],
      /died: ERROR java\.lang\.OutOf/,
    ],
    ['with an error', ['ERROR cannot bind', 'INFO bye'], /said before: ERROR cannot bind/],
    ['and wrote nothing', [], /the last that it said: nothing/],
  ])('%s', async (_, log, told) => expect(await ended(log)).toMatch(told));
  it('with the machine', async () => {
    expect(await ended(['INFO x'], '00000000-0000-0000-0000-000000000000:1')).toMatch(/since this machine was started anew/);
  });
});
