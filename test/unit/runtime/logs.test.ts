import { appendFileSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../../src/clients/wait.js';
import { processRuntime } from '../../../src/lifecycle/runtimes/process.js';
import { lastLogLines, logFile, readLogs, rotateLog, timeOfLine, type LogOptions } from '../../../src/runtimes/process/logs.js';
import { startProcess } from '../../../src/runtimes/process/spawn.js';
import { processState } from '../../../src/runtimes/process/state.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { Secret } from '../../../src/workspace/secret.js';
import { newPlace, serverSpec, type Place } from './helper.js';

let place: Place;
let file: string;
beforeEach(async () => {
  place = await newPlace();
  file = logFile(place.workspace, 'server');
});
afterEach(() => place.leave());

async function all(options: LogOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLogs(place.workspace, 'server', options)) lines.push(line);
  return lines;
}

describe('the time of a line', () => {
  it.each([
    ['2026-11-21 12:40:01,123 INFO  KafkaServer - started', '2026-11-21T12:40:01.123Z'],
    ['[2026-11-21 12:40:01,123] INFO started', '2026-11-21T12:40:01.123Z'],
    ['2026-11-21T12:40:01.123  WARN --- [  MainThread] localstack', '2026-11-21T12:40:01.123Z'],
    ['2026-11-21 12:40:01.123 UTC [77] LOG:  ready', '2026-11-21T12:40:01.123Z'],
    ['2026-11-21T13:04:45.179048980Z thread ERROR fault', '2026-11-21T13:04:45.179Z'],
    ['2026-11-21 12:40:01 ready', '2026-11-21T12:40:01.000Z'],
  ])('%s', (line, time) => expect(timeOfLine(line)?.toISOString()).toBe(time));

  it.each(['\tat java.lang.Thread.run(Thread.java:840)', 'Ready.', '', '2026-99-99 99:99:99 nonsense', 'count 2026-11-21 12:40:01'])(
    'is none in %j',
    (line) => expect(timeOfLine(line)).toBeUndefined(),
  );
});

describe('reading', () => {
  it('goes from the oldest part to the newest, and masks secrets', async () => {
    new Secret('s3cr3t-value');
    writeFileSync(`${file}.2`, 'one\n');
    writeFileSync(`${file}.1`, 'two\n');
    writeFileSync(file, 'three s3cr3t-value\nfour without an end');
    expect(await all()).toEqual(['one', 'two', 'three ***', 'four without an end']);
    expect(await all({ lines: 2 })).toEqual(['three ***', 'four without an end']);
    expect(await all({ lines: 0 })).toEqual([]);
    expect(await lastLogLines(place.workspace, 'server', 3)).toEqual(['two', 'three ***', 'four without an end']);
  });

  it('starts at a moment; lines without a time belong to the one before', async () => {
    writeFileSync(file, '2026-01-01 10:00:00,000 old\n\told too\n2026-01-01 11:00:00,000 new\n\tnew too\n');
    expect(await all({ since: new Date('2026-01-01T10:30:00Z') })).toEqual(['2026-01-01 11:00:00,000 new', '\tnew too']);
  });

  it('of a log that is not there gives nothing', async () => expect(await all()).toEqual([]));

  it('follows what is written, over a rename and over being emptied', async () => {
    writeFileSync(file, 'first\n');
    const stop = new AbortController();
    const lines: string[] = [];
    const write: Record<string, () => void> = {
      first: () => appendFileSync(file, 'second\nthi'),
      second: () => appendFileSync(file, 'rd\n'),
      third: () => {
        appendFileSync(file, 'fourth\n');
        renameSync(file, `${file}.1`);
        writeFileSync(file, 'fifth\n');
      },
      fifth: () => {
        writeFileSync(file, '');
        appendFileSync(file, '6\n');
      },
      '6': () => stop.abort(),
    };
    for await (const line of readLogs(place.workspace, 'server', { follow: true, signal: stop.signal })) {
      lines.push(line);
      write[line]?.();
    }
    expect(lines).toEqual(['first', 'second', 'third', 'fourth', 'fifth', '6']);
  });
});

describe('rotation', () => {
  const parts = () => ['', '.1', '.2', '.3'].map((part) => (existsSync(file + part) ? readFileSync(file + part, 'utf8') : undefined));

  it('moves a large log aside and leaves a small one', async () => {
    writeFileSync(file, 'one\ntwo\nthree\n', { mode: 0o600 });
    await rotateLog(place.workspace, 'server', 14);
    expect(parts()).toEqual(['one\ntwo\nthree\n', undefined, undefined, undefined]);
    await rotateLog(place.workspace, 'server', 13);
    expect(parts()).toEqual(['', 'two\nthree\n', undefined, undefined]);
    expect(statSync(`${file}.1`).mode & 0o777).toBe(0o600);
  });

  it('keeps the earlier parts, also those that a server has made by itself, and loses the oldest only', async () => {
    for (const [part, text] of Object.entries({ '.1': 'new', '.2': 'older', '.3': 'oldest' })) writeFileSync(file + part, text);
    writeFileSync(file, 'now\nmore\n');
    await rotateLog(place.workspace, 'server', 5);
    expect(parts()).toEqual(['', 'more\n', 'new', 'older']);
  });

  it('begins a part with a whole line', async () => {
    writeFileSync(file, 'password=hunter2hunter2\nnext\n');
    await rotateLog(place.workspace, 'server', 10);
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('next\n');
    writeFileSync(file, 'first\nnext\n');
    await rotateLog(place.workspace, 'server', 5);
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('next\n');
  });

  it('is left to log4j where that does it: its files stay below', async () => {
    writeFileSync(file, 'x'.repeat(10 * 1024 * 1024 + 5000));
    await rotateLog(place.workspace, 'server');
    expect(existsSync(`${file}.1`)).toBe(false);
  });

  it('of a server that runs is done by the next up, and the server goes on writing', async () => {
    const script = `
      process.on('SIGUSR2', () => console.log('still here'));
      for (let line = 0; line < 12; line++) console.log('x'.repeat(1024 * 1024 - 1));`;
    const spec = serverSpec(place, script, { component: 'localstack', name: 'server' });
    await startProcess(spec, { ...place, ports: { fake: place.port } });
    expect(statSync(file).size).toBe(12 * 1024 * 1024);
    const stack = { workspace: place.workspace, catalog: 'iceberg-rest', engine: 'flink' } as StackContext;
    await processRuntime.withdraw(stack, place.signal);
    const { pid, state } = await processState(place.workspace, 'server');
    expect(state).toBe('running');
    process.kill(pid ?? 0, 'SIGUSR2');
    await waitUntil(async () => readFileSync(file, 'utf8') === 'still here\n', { what: 'the server to write', timeoutMs: 5000 });
    expect(statSync(`${file}.1`).size).toBe(11 * 1024 * 1024);
  });
});
