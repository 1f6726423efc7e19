import { expect, it } from 'vitest';
import { Gathered } from '../../../src/runtimes/k3d/gathered.js';

interface Questions {
  read: (signal: AbortSignal) => Promise<number>;
  begun: AbortSignal[];
  untilBegun: (count: number) => Promise<void>;
  answer: (number: number) => void;
}

/** Questions that are answered by hand, each with its number. */
function questions(): Questions {
  const begun: AbortSignal[] = [];
  const answers: ((value: number) => void)[] = [];
  let notice = (): void => undefined;
  return {
    begun,
    read: (signal) => {
      begun.push(signal);
      notice();
      return new Promise((resolve) => answers.push(resolve));
    },
    untilBegun: async (count) => {
      while (begun.length < count) await new Promise<void>((resolve) => (notice = resolve));
    },
    answer: (number) => answers[number]!(number),
  };
}

it('asks once for all who come before it is begun, and anew for who comes later', async () => {
  const { read, begun, untilBegun, answer } = questions();
  const gathered = new Gathered<number>();
  const early = [gathered.ask('a', read), gathered.ask('a', read)];
  await untilBegun(1);
  const late = gathered.ask('a', read);
  await untilBegun(2);
  answer(1);
  expect(await late).toBe(1);
  answer(0);
  expect(await Promise.all(early)).toEqual([0, 0]);
  expect(begun).toHaveLength(2);
});

it('gives what is under way to who only looks, and only until it has come', async () => {
  const { read, begun, untilBegun, answer } = questions();
  const gathered = new Gathered<number>();
  const first = gathered.ask('a', read);
  await untilBegun(1);
  const looks = gathered.ask('a', read, { underWay: true });
  answer(0);
  expect(await Promise.all([first, looks])).toEqual([0, 0]);
  const after = gathered.ask('a', read, { underWay: true });
  await untilBegun(2);
  answer(1);
  expect(await after).toBe(1);
  expect(begun).toHaveLength(2);
});

it('tells different things apart, and ends a question when the last who waited is interrupted', async () => {
  const { read, begun, untilBegun, answer } = questions();
  const gathered = new Gathered<number>();
  const [one, other] = [new AbortController(), new AbortController()];
  const both = [one, other].map(({ signal }) => gathered.ask('a', read, { signal }));
  const another = gathered.ask('b', read);
  await untilBegun(2);
  one.abort(new Error('enough'));
  await expect(both[0]).rejects.toThrow('enough');
  expect(begun[0]!.aborted).toBe(false);
  other.abort(new Error('enough too'));
  await expect(both[1]).rejects.toThrow('enough too');
  expect(begun[0]!.aborted).toBe(true);
  answer(1);
  expect(await another).toBe(1);
});

it('begins nothing for those who left before, and is there for who comes then', async () => {
  const { read, begun, untilBegun, answer } = questions();
  const gathered = new Gathered<number>();
  const leaves = new AbortController();
  const left = gathered.ask('a', read, { signal: leaves.signal });
  leaves.abort(new Error('enough'));
  await expect(left).rejects.toThrow('enough');
  const comes = gathered.ask('a', read);
  await untilBegun(1);
  answer(0);
  expect(await comes).toBe(0);
  expect(begun).toHaveLength(1);
});
