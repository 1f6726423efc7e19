import { describe, expect, it, vi } from 'vitest';
import { nearest } from '../../../src/config/suggest.js';
import { createOutput } from '../../../src/cli/output.js';
import { createRunRenderer } from '../../../src/cli/render.js';
import { table } from '../../../src/cli/table.js';
import { duration, size } from '../../../src/cli/text.js';
import { serverError } from '../../../src/errors.js';
import type { TaskEvent, TaskResult } from '../../../src/playbook/events.js';
import { Secret } from '../../../src/workspace/secret.js';

const sink = (isTTY = false, columns = 80) => {
  const written: string[] = [];
  return { isTTY, columns, write: (text: string) => written.push(text), text: () => written.join('') };
};

describe('words', () => {
  it.each([
    [0.84, '0.8 s'],
    [9.96, '10 s'],
    [41.3, '41 s'],
    [59.7, '1 min 0 s'],
    [125, '2 min 5 s'],
  ])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1.4 * 1024 ** 3, '1.4 GiB'],
  ])('%d bytes are %s', (bytes, text) => expect(size(bytes)).toBe(text));

  it('suggests a near name only', () => {
    expect(nearest('statsu', ['up', 'status', 'verify'])).toBe('status');
    expect(nearest('zzzzzz', ['up', 'status', 'verify'])).toBeUndefined();
  });
});

describe('table', () => {
  const rows = [
    ['kafka', '127.0.0.1:19094'],
    ['catalog', 'http://127.0.0.1:18181/api/catalog'],
  ];

  it('lines columns up under headings', () => {
    expect(table(['name', 'url'], rows, 80)).toBe(
      ['NAME     URL', 'kafka    127.0.0.1:19094', 'catalog  http://127.0.0.1:18181/api/catalog'].join('\n'),
    );
  });

  it('breaks no value where the terminal is narrow', () => {
    const narrow = table(['name', 'url'], rows, 30);
    expect(narrow).toBe('name: kafka\nurl: 127.0.0.1:19094\n\nname: catalog\nurl: http://127.0.0.1:18181/api/catalog');
  });
});

describe('live line', () => {
  it('replaces itself on a terminal, never wraps, masks secrets, and ends before other text', () => {
    const stderr = sink(true, 20);
    const secret = new Secret('swordfish-7');
    const output = createOutput({ format: 'text', quiet: false, stderr, stdout: sink() });
    output.live(`sent 1 ${secret.reveal()} ${'x'.repeat(100)}`);
    output.note('done');
    const [, first = ''] = stderr.text().split('\r\u001B[2K');
    expect(first.split('\n')[0]).toBe(`sent 1 *** ${'x'.repeat(8)}`);
    expect(stderr.text()).toMatch(/x\ndone\n$/);
  });

  it('is a line every ten seconds on a pipe', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const stderr = sink();
    const output = createOutput({ format: 'text', quiet: false, stderr, stdout: sink() });
    for (let second = 0; second <= 25; second++) {
      output.live(`sent ${second}`);
      vi.advanceTimersByTime(1000);
    }
    vi.useRealTimers();
    expect(stderr.text()).toBe('sent 10\nsent 20\n');
  });
});

describe('a run', () => {
  const event = (id: string, more: Partial<TaskEvent>): TaskEvent => ({
    type: 'task',
    id,
    module: 'm',
    play: 'Play',
    state: 'waiting',
    ...more,
  });
  const diff = [{ field: 'mode', is: '0644', should: '0600' }];
  const error = serverError({ code: 'X', message: 'Kafka died\nlast line of its log', hint: 'See the log.' });
  const task = (id: string, more: Partial<TaskResult>): TaskResult => ({
    id,
    module: 'm',
    play: 'Play',
    status: 'ok',
    seconds: 1,
    ...more,
  });
  const tasks = [
    task('keys', { status: 'changed', message: 'mode was 0644; set', diff }),
    task('kafka', { status: 'failed', error }),
    task('topic', { status: 'skipped', message: 'needs kafka' }),
  ];
  const result = { mode: 'apply' as const, ok: 0, changed: 1, skipped: 1, failed: 1, seconds: 41.2, tasks };

  it.each([
    [{}, 'changed  keys (2.0 s): mode was 0644; set'],
    [{ diff: true }, 'changed  keys (2.0 s): mode was 0644; set\n    mode: 0644 -> 0600'],
    [{ check: true }, 'would change keys (2.0 s): mode was 0644; set'],
  ])('is a line per finished task on a pipe %j, then failures with their hint, then the recap', async (options, changed) => {
    const stdout = sink();
    const output = createOutput({ format: 'text', quiet: false, stdout, stderr: sink() });
    const renderer = await createRunRenderer({ output, ...options });
    for (const id of ['keys', 'kafka', 'topic']) renderer.onEvent(event(id, {}));
    renderer.onEvent(event('keys', { state: 'applying', progress: 'half way' }));
    renderer.onEvent(event('keys', { state: 'changed', seconds: 2, message: 'mode was 0644; set', diff }));
    renderer.onEvent(event('kafka', { state: 'failed', seconds: 0.2, message: error.message }));
    renderer.onEvent(event('topic', { state: 'skipped', message: 'needs kafka' }));
    await renderer.finish(result);
    expect(stdout.text()).toBe(
      `${changed}\nfailed   kafka: Kafka died\nskipped  topic: needs kafka\n` +
        'failed   kafka\n    Kafka died\n    last line of its log\n    Hint: See the log.\nok=0 changed=1 skipped=1 failed=1 in 41 s\n',
    );
  });

  it('names what takes long, every ten seconds', async () => {
    vi.useFakeTimers({ now: 0 });
    const stdout = sink();
    const renderer = await createRunRenderer({ output: createOutput({ format: 'text', quiet: false, stdout, stderr: sink() }) });
    renderer.onEvent(event('kafka', { state: 'applying', progress: '3 of 9 MB' }));
    vi.advanceTimersByTime(9_000);
    renderer.onEvent(event('topic', { state: 'observing' }));
    vi.advanceTimersByTime(1_500);
    await renderer.finish();
    vi.advanceTimersByTime(60_000);
    vi.useRealTimers();
    expect(stdout.text()).toBe('…        kafka (10 s, 3 of 9 MB)\n');
  });

  it('is a record per event for ndjson, and nothing for --json', async () => {
    for (const [format, text] of [
      ['ndjson', '{"type":"task","id":"a","module":"m","play":"Play","state":"ok"}\n'],
      ['json', ''],
    ] as const) {
      const stdout = sink();
      const renderer = await createRunRenderer({ output: createOutput({ format, quiet: false, stdout, stderr: stdout }) });
      renderer.onEvent(event('a', { state: 'ok' }));
      await renderer.finish(result);
      expect(stdout.text()).toBe(text);
    }
  });

  it('does not tell the error twice that the command throws afterwards', async () => {
    const stdout = sink();
    const renderer = await createRunRenderer({ output: createOutput({ format: 'text', quiet: true, stdout, stderr: sink() }) });
    await renderer.finish({ ...result, error });
    expect(stdout.text()).toBe('ok=0 changed=1 skipped=1 failed=1 in 41 s\n');
  });
});
