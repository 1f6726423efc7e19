import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBootstrap } from '../../../src/clients/kafka-link.js';
import { parseDelay, parseDuration, parseProbability, parseRate, parseWhole } from '../../../src/generator/options.js';

const whole = (text: string) => parseWhole('--count', text, 1, 1e9, '1000');
const probability = (text: string) => parseProbability('--bonus-probability', text);
const duration = (text: string) => parseDuration('--duration', text);

describe('flags of the generator', () => {
  it('take what they should', () => {
    expect([parseRate('10'), parseRate('0.5'), parseRate('MAX'), parseRate('1e4')]).toEqual([10, 0.5, 'max', 10_000]);
    expect([duration('500ms'), duration('30s'), duration('1.5m'), duration('2h')]).toEqual([0.5, 30, 90, 7200]);
    expect([whole('20000'), whole('1e6'), probability('0'), probability('.15')]).toEqual([20_000, 1e6, 0, 0.15]);
    expect([parseDelay('0.5'), parseDelay('0')]).toEqual([2, 'max']);
    expect(parseBootstrap('localhost:19094, [::1]:9092')).toEqual(['localhost:19094', '[::1]:9092']);
  });

  it.each([
    ['--rate', parseRate, ['-1', '0', 'fast', '', '1e99', 'NaN', 'Infinity', '0x10']],
    ['--delay', parseDelay, ['-1', 'x', '1e9']],
    ['--duration', duration, ['30', '-1s', 'soon', '0s', '30 s', '9999h', '1d']],
    ['--count', whole, ['1e99', '0', '-5', '1.5', '', '12x']],
    ['--bonus-probability', probability, ['2', '-0.1', '15%', '']],
    ['--bootstrap-servers', parseBootstrap, ['', 'localhost', 'localhost:70000', 'http://localhost:9092', 'a:1,', ':9092', 'a:0']],
  ] as const)('%s refuses the rest and names itself and the value', (flag, parse, texts) => {
    for (const text of texts) {
      const expected = {
        code: 'BAD_FLAG',
        exitCode: 2,
        hint: expect.stringContaining(flag),
        message: expect.stringContaining(`${flag}: expected`),
      };
      expect(() => parse(text)).toThrow(expect.objectContaining(expected));
    }
  });

  it('never lets a number through that is no number', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseRate, whole, probability, duration]) {
          try {
            const value = parse(text);
            expect(value === 'max' || Number.isFinite(value)).toBe(true);
          } catch (error) {
            expect(error).toMatchObject({ exitCode: 2 });
          }
        }
      }),
    );
  });
});
