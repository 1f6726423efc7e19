import { describe, expect, it } from 'vitest';
import { SharedConnections, type Opening } from '../../../src/clients/shared.js';
import { unlessAborted } from '../../../src/clients/wait.js';

/** A server that is opened by hand, and keeps what was done to its connections. */
function server(): { done: string[]; open: () => Opening<number>; answer: (number: number) => void; refuse: (error: Error) => void } {
  const done: string[] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  return {
    done,
    open: () => {
      const number = waiting.length;
      done.push(`open ${number}`);
      const opened = new Promise<number>((resolve, reject) => waiting.push({ resolve: () => resolve(number), reject }));
      return {
        opened,
        close: () => Promise.resolve(void done.push(`close ${number}`)),
        cut: () => void done.push(`cut ${number}`),
      };
    },
    answer: (number) => waiting[number]!.resolve(),
    refuse: (error) => waiting.at(-1)!.reject(error),
  };
}
const never = (): Promise<never> => new Promise(() => undefined);

describe('shared connections', () => {
  it('is one for all who want the same at the same moment, closed by the last, and not kept', async () => {
    const { done, open, answer } = server();
    const shared = new SharedConnections<number>();
    let end = (): void => undefined;
    const long = shared.use('a', open, (connection) => new Promise<number>((resolve) => (end = () => resolve(connection))));
    const short = shared.use('a', open, (connection) => Promise.resolve(connection));
    answer(0);
    expect(await short).toBe(0);
    expect(done).toEqual(['open 0']);
    end();
    expect(await long).toBe(0);
    expect(done).toEqual(['open 0', 'close 0']);
    const later = shared.use('a', open, (connection) => Promise.resolve(connection));
    answer(1);
    expect(await later).toBe(1);
    expect(done).toEqual(['open 0', 'close 0', 'open 1', 'close 1']);
  });

  it('is not shared with those who want another, or want theirs alone', async () => {
    const { done, open, answer } = server();
    const shared = new SharedConnections<number>();
    const all = [undefined, undefined, 'a', 'b'].map((key) => shared.use(key, open, (connection) => Promise.resolve(connection)));
    for (const number of [0, 1, 2, 3]) answer(number);
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3]);
    expect(done.filter((it) => it.startsWith('close'))).toHaveLength(4);
  });

  it('goes on for the others when one is interrupted, and is cut when nobody waited for the last answer', async () => {
    const { done, open, answer } = server();
    const shared = new SharedConnections<number>();
    const [first, second] = [new AbortController(), new AbortController()];
    const one = shared.use('a', open, never, first.signal);
    const other = shared.use('a', open, never, second.signal);
    answer(0);
    first.abort(new Error('enough'));
    await expect(one).rejects.toThrow('enough');
    expect(done).toEqual(['open 0']);
    second.abort(new Error('enough too'));
    await expect(other).rejects.toThrow('enough too');
    expect(done).toEqual(['open 0', 'cut 0']);
    await expect(shared.use('a', open, never, first.signal)).rejects.toThrow('enough');
    expect(done).toHaveLength(2);
  });

  it('cuts what is interrupted before it is open', async () => {
    const { done, open } = server();
    const interrupt = new AbortController();
    const one = new SharedConnections<number>().use('a', open, never, interrupt.signal);
    interrupt.abort(new Error('enough'));
    await expect(one).rejects.toThrow('enough');
    expect(done).toEqual(['open 0', 'cut 0']);
  });

  it('gives what failed anybody to nobody who comes after, and leaves it to those who have it', async () => {
    const { done, open, answer, refuse } = server();
    const shared = new SharedConnections<number>();
    let end = (): void => undefined;
    const has = shared.use('a', open, () => new Promise<void>((resolve) => (end = resolve)));
    answer(0);
    await expect(shared.use('a', open, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    const after = shared.use('a', open, (connection) => Promise.resolve(connection));
    answer(1);
    expect(await after).toBe(1);
    end();
    await has;
    expect(done).toEqual(['open 0', 'open 1', 'close 1', 'close 0']);
    const refused = [1, 2].map(() => shared.use('a', open, () => Promise.resolve()));
    refuse(new Error('refused'));
    for (const one of refused) await expect(one).rejects.toThrow('refused');
    expect(done.slice(4)).toEqual(['open 2', 'cut 2']);
  });
});

it('an interrupted wait ends at once, and leaves no listener behind', async () => {
  const interrupt = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), interrupt.signal)).toBe(1);
  const wait = unlessAborted(never(), interrupt.signal);
  interrupt.abort(new Error('enough'));
  await expect(wait).rejects.toThrow('enough');
  await expect(unlessAborted(never(), interrupt.signal)).rejects.toThrow('enough');
});
