import { describe, expect, it } from 'vitest';
import type { KubeClient, LogOptions } from '../../../src/clients/kubernetes.js';
import { KubeError } from '../../../src/clients/kubernetes-error.js';
import { followLines, sourcesOf, storedLines, type LogSource } from '../../../src/runtimes/kubernetes/logs.js';
import type { ContainerStatus, Pod } from '../../../src/runtimes/kubernetes/pod-types.js';

const source: LogSource = { namespace: 'kafka', pod: 'kafka-0', container: 'kafka', name: 'kafka-0', restarted: false };
const at = (second: number, fraction = ''): string => `2026-11-21T12:00:${String(second).padStart(2, '0')}${fraction}Z`;
const refused = (status: number): KubeError => new KubeError({ code: 'X', message: 'refused', hint: '', exitCode: 4, status });

/** A client that gives one answer after the other, and notes what it was asked. */
function clientOf(answers: (string | string[] | Error)[]): { client: KubeClient; asked: LogOptions[] } {
  const asked: LogOptions[] = [];
  const next = (options: LogOptions = {}): string => {
    asked.push(options);
    const answer = answers.shift() ?? '';
    if (answer instanceof Error) throw answer;
    return Array.isArray(answer) ? answer.join('\n') : answer;
  };
  const client = {
    logs: async (_: unknown, options?: LogOptions) => Promise.resolve(next(options)),
    async *followLogs(_: unknown, options?: LogOptions) {
      yield* await Promise.resolve(next(options).split('\n').filter(Boolean));
    },
  } as unknown as KubeClient;
  return { client, asked };
}
const { signal } = new AbortController();

describe('storedLines', () => {
  it('gives the lines without the moments that the kubelet puts before them, empty ones too', async () => {
    const { client, asked } = clientOf([[`${at(1, '.5')} first`, `${at(2)} `, at(3), `${at(4)}   indented`, '']]);
    expect(await storedLines(client, source, { signal, lines: 10 })).toEqual(['first', '', '', '  indented']);
    expect(asked).toEqual([{ timestamps: true, previous: false, signal, tailLines: 10 }]);
  });

  it('since a moment means that moment, whatever the time zone of the node', async () => {
    const lines = ['2026-11-21T13:00:01.999999999+01:00 before', '2026-11-21T13:00:02.000000001+01:00 after', `${at(3)} later`];
    const { client, asked } = clientOf([lines]);
    expect(await storedLines(client, source, { signal, since: new Date(at(2)) })).toEqual(['after', 'later']);
    expect(asked[0]?.sinceSeconds).toBeGreaterThan(0);
    expect(asked[0]).not.toHaveProperty('tailLines');
  });

  it('more than the server gives at once comes in parts, each line once', async () => {
    const filler = 'x'.repeat(1024);
    const big = Array.from({ length: 2100 }, (_, index) => `${at(10, `.${String(index).padStart(9, '0')}`)} ${index} ${filler}`);
    const { client } = clientOf([big, [...big.slice(-2), `${at(11)} last`]]);
    const lines = await storedLines(client, source, { signal });
    expect([lines.length, lines.at(-2)?.slice(0, 5), lines.at(-1)]).toEqual([2101, '2099 ', 'last']);
  });

  it('the forerunner of a container that was just restarted comes first, and counts among the last lines', async () => {
    const answers = [[`${at(1)} a`, `${at(2)} b`], [`${at(3)} c`]];
    const options = { signal, lines: 2 };
    const { client, asked } = clientOf([...answers]);
    expect(await storedLines(client, { ...source, restarted: true }, options)).toEqual(['b', 'c']);
    expect(asked.map(({ previous }) => previous)).toEqual([true, false]);
    expect(await storedLines(clientOf([...answers]).client, { ...source, restarted: true }, { signal, lines: 0 })).toEqual([]);
  });
});

describe('followLines', () => {
  const follow = async (answers: (string[] | Error)[], options: object = {}) => {
    const { client, asked } = clientOf([...answers, refused(404)]);
    const lines: string[] = [];
    for await (const line of followLines(client, source, { signal, ...options })) lines.push(line);
    return { lines, asked };
  };

  it('a connection that breaks off is taken up where it was: no line twice, none lost; it ends with the pod', async () => {
    const { lines, asked } = await follow(
      [[`${at(1)} a`, `${at(2, '.25')} b`], refused(0), [`${at(2, '.25')} b`, `${at(2, '.250000001')} c`]],
      { lines: 5 },
    );
    expect(lines).toEqual(['a', 'b', 'c']);
    expect(asked.map((options) => Object.keys(options).filter((key) => /tail|since/.test(key)))).toEqual([
      ['tailLines'],
      ['sinceSeconds'],
      ['sinceSeconds'],
      ['sinceSeconds'],
    ]);
  });

  it('waits for the container that comes next', async () => {
    expect((await follow([[`${at(1)} a`], refused(400), [`${at(5)} again`]])).lines).toEqual(['a', 'again']);
  });

  it('a right that is lacking is an error', async () => {
    await expect(follow([refused(403)])).rejects.toMatchObject({ status: 403 });
  });

  it('Ctrl-C ends it', async () => {
    const abort = new AbortController();
    const { client } = clientOf([[`${at(1)} a`], [], [], []]);
    const lines: string[] = [];
    for await (const line of followLines(client, source, { signal: abort.signal })) {
      lines.push(line);
      abort.abort();
    }
    expect(lines).toEqual(['a']);
  });
});

describe('sourcesOf', () => {
  const now = Date.parse(at(30));
  const status = (name: string, more: Partial<ContainerStatus>): ContainerStatus => ({ name, restartCount: 0, ...more });
  const pod = (init: ContainerStatus[], containers: ContainerStatus[]): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'flink-0', namespace: 'flink' },
    status: { initContainerStatuses: init, containerStatuses: containers },
  });
  const running = (startedAt = at(0)) => ({ running: { startedAt } });
  const ended = (exitCode: number) => ({ terminated: { exitCode } });
  const names = (value: Pod): string[] => sourcesOf(value, now).map(({ name, restarted }) => `${name}${restarted ? ' restarted' : ''}`);

  it.each<[string, Pod, string[]]>([
    ['one container', pod([], [status('main', { state: running() })]), ['flink-0']],
    ['two of them', pod([], [status('a', { state: running() }), status('b', { state: ended(0) })]), ['flink-0/a', 'flink-0/b']],
    ['one that has not started', pod([], [status('main', { state: { waiting: { reason: 'ContainerCreating' } } })]), []],
    ['an init container that is done', pod([status('fetch', { state: ended(0) })], [status('main', { state: running() })]), ['flink-0']],
    [
      'an init container that failed',
      pod([status('fetch', { state: ended(1) })], [status('main', { state: { waiting: { reason: 'PodInitializing' } } })]),
      ['flink-0/fetch'],
    ],
    [
      'one that was restarted a moment ago',
      pod([], [status('main', { state: running(), lastState: ended(1), restartCount: 1 })]),
      ['flink-0 restarted'],
    ],
    [
      'one that was restarted long ago',
      pod([], [status('main', { state: running('2026-11-20T12:00:00Z'), lastState: ended(1), restartCount: 1 })]),
      ['flink-0'],
    ],
    [
      'one that waits to be restarted: its log is still the old one',
      pod([], [status('main', { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ended(1), restartCount: 4 })]),
      ['flink-0'],
    ],
  ])('%s', (_, value, expected) => {
    expect(names(value)).toEqual(expected);
  });
});
