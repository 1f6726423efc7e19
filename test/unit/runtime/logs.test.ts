import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastLogLines, logFile, readLogs, rotateLog, timeOfLine, type LogOptions } from '../../../src/runtimes/process/logs.js';
import { Secret } from '../../../src/workspace/secret.js';
import { newPlace, type Place } from './helper.js';

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
  it('moves a large log aside and leaves a small one', async () => {
    writeFileSync(file, 'x'.repeat(100));
    await rotateLog(place.workspace, 'server', 100);
    expect(readFileSync(file, 'utf8')).toHaveLength(100);
    await rotateLog(place.workspace, 'server', 99);
    expect(readFileSync(file, 'utf8')).toBe('');
    expect(readFileSync(`${file}.1`, 'utf8')).toHaveLength(100);
  });
});
