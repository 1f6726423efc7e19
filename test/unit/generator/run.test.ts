import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { KafkaRecord } from '../../../src/clients/kafka-produce.js';
import { serverError } from '../../../src/errors.js';
import type { BalloonEvent } from '../../../src/generator/balloon-popper.js';
import { eventLimit, generateEvents, runGenerator, type GenerateEventsOptions } from '../../../src/generator/run.js';

/** A broker in memory: what it acknowledged, and how it behaves. */
const broker = { log: [] as KafkaRecord[], closed: 0, onSend: async (_: KafkaRecord[]) => {}, connect: async () => {} };

vi.mock('../../../src/clients/kafka-produce.js', () => ({
  connectProducer: async () => {
    await broker.connect();
    return {
      send: async (records: KafkaRecord[]) => {
        await broker.onSend(records);
        broker.log.push(...records);
      },
      close: async () => {
        broker.closed++;
      },
    };
  },
}));

beforeEach(() => Object.assign(broker, { log: [], closed: 0, onSend: async () => {}, connect: async () => {} }));

const run = (options: Partial<GenerateEventsOptions>) =>
  generateEvents({ bootstrapServers: 'memory:1', topic: 'balloon-game', ...options });
const events = () => broker.log.map(({ value }) => JSON.parse(value) as BalloonEvent);
const withoutTime = () => events().map(({ event_ts: _, ...rest }) => rest);

describe('a run', () => {
  it('sends the same events for the same seed, whatever the pace is', async () => {
    await run({ count: 300, seed: 7 });
    const fast = withoutTime();
    broker.log = [];
    await run({ count: 300, seed: 7, rate: 3_000 });
    expect(withoutTime()).toEqual(fast);
  });

  it('counts what the broker has, by player and in all, and keys by player', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 60 }), fc.nat(), async (count, players, seed) => {
        broker.log = [];
        const result = await run({ count, players, seed });
        const all = events();
        const totals = Object.values(result.byPlayer);
        const sum = (of: number[]) => of.reduce((a, b) => a + b, 0);
        expect([result.sent, result.acknowledged, all.length, sum(totals.map((t) => t.events))]).toEqual([count, count, count, count]);
        expect([result.totalScore, sum(totals.map((t) => t.score))]).toEqual([sum(all.map((e) => e.score)), sum(all.map((e) => e.score))]);
        expect(sum(totals.map((t) => t.bonus))).toBe(all.filter((e) => e.favorite_color_bonus).length);
        expect(broker.log.every(({ key }, at) => key === all[at]?.player)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('stamps events with the time of now, in UTC', async () => {
    const before = Date.now();
    await run({ count: 5 });
    for (const { event_ts } of events()) {
      expect(event_ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Date.parse(event_ts)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(event_ts)).toBeLessThanOrEqual(Date.now());
    }
  });

  it('keeps the rate: as many events as rate times duration, spread over it', async () => {
    const times: number[] = [];
    broker.onSend = async (records) => void times.push(...records.map(() => performance.now()));
    const result = await run({ rate: 2_000, durationSeconds: 0.5 });
    expect(result.acknowledged).toBe(1_000);
    const half = (times[0] ?? 0) + 250;
    const early = times.filter((time) => time < half).length;
    expect(early).toBeGreaterThan(350);
    expect(early).toBeLessThan(650);
  });

  it('makes good for a slow broker instead of drifting', async () => {
    let slow = true;
    broker.onSend = async () => {
      if (slow) await new Promise((resolve) => setTimeout(resolve, 150));
      slow = false;
    };
    expect((await run({ rate: 1_000, durationSeconds: 0.4 })).acknowledged).toBe(400);
  });

  it('stops at the duration when the broker takes less than the rate', async () => {
    broker.onSend = () => new Promise((resolve) => setTimeout(resolve, 50));
    const result = await run({ rate: 1_000_000, durationSeconds: 0.2 });
    expect(result.seconds).toBeLessThan(2);
    expect(result.acknowledged).toBe(broker.log.length);
  });

  it('ends cleanly when it is interrupted: what is on its way is waited for and counted', async () => {
    const controller = new AbortController();
    broker.onSend = async () => {
      controller.abort(new Error('Ctrl-C'));
      await new Promise((resolve) => setTimeout(resolve, 30));
    };
    const result = await run({ rate: 100, signal: controller.signal });
    expect(result).toMatchObject({ sent: broker.log.length, acknowledged: broker.log.length });
    expect(broker.log.length).toBeGreaterThan(0);
    expect(broker.closed).toBe(1);
  });

  it('says exactly what is known when the broker is lost, and sends nothing more', async () => {
    let calls = 0;
    broker.onSend = async () => {
      if (++calls === 2) throw serverError({ code: 'UNREACHABLE', message: 'No answer from memory:1: connection refused' });
    };
    const { result, failure } = await runGenerator({ bootstrapServers: 'memory:1', topic: 't', count: 20_000 });
    expect(result).toMatchObject({ sent: 8_000, acknowledged: 4_000 });
    expect(broker.log).toHaveLength(4_000);
    expect(calls).toBe(2);
    expect(failure).toMatchObject({
      code: 'EVENTS_LOST',
      exitCode: 4,
      message: expect.stringContaining('4000 of 8000 events are acknowledged'),
    });
    expect(broker.closed).toBe(1);
  });

  it('throws what the connection throws', async () => {
    broker.connect = () => Promise.reject(serverError({ code: 'TOPIC_MISSING', message: 'no topic' }));
    await expect(run({ count: 1 })).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
  });

  it('reports progress while it runs', async () => {
    const seen: number[] = [];
    await run({ rate: 200, durationSeconds: 0.7, onProgress: ({ acknowledged }) => seen.push(acknowledged) });
    expect(seen.length).toBeGreaterThanOrEqual(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});

describe('the number of events', () => {
  it('is rate times duration without rounding errors, or the count if that is less', () => {
    expect(eventLimit(10, 30)).toBe(300);
    expect(eventLimit(0.1, 30)).toBe(3);
    expect(eventLimit(3, 0.1)).toBe(1);
    expect(eventLimit(10, 30, 5)).toBe(5);
    expect(eventLimit('max', 30)).toBe(Infinity);
    expect(eventLimit('max', undefined, 7)).toBe(7);
    expect(eventLimit(10)).toBe(Infinity);
  });
});
