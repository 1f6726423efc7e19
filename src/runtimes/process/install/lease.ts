import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { waitUntil } from '../../../clients/wait.js';
import { bootId, processStartTime } from '../../../workspace/identity.js';
import { fileError } from '../../../workspace/atomic.js';

interface Ticket {
  /** Undefined while its owner still draws a number. */
  number?: number;
  owner: string;
}

/**
 * Runs `work` while no other process (and no other caller in this one) holds the same folder.
 * Whoever comes draws the next number and waits for the lower ones (Lamport's bakery). Every file has one owner and is
 * named after it, so the files of a dead process can be removed by anyone at any time without a race.
 */
export async function withLease<T>(
  folder: string,
  options: { signal: AbortSignal; onWait: (pid: number) => void },
  work: () => Promise<T>,
): Promise<T> {
  const me = `${process.pid}-${plain(processStartTime(process.pid))}-${plain(bootId())}-${randomBytes(4).toString('hex')}`;
  const drawing = path.join(folder, `draw-${me}`);
  let ticket: string | undefined;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(drawing, '');
    const number = Math.max(0, ...(await tickets(folder)).map((one) => one.number ?? 0)) + 1;
    ticket = path.join(folder, `${number}-${me}`);
    await writeFile(ticket, '');
    await rm(drawing);
    const first = async (): Promise<boolean> => {
      const before = (await tickets(folder)).find(
        (one) => one.owner !== me && (one.number === undefined || one.number < number || (one.number === number && one.owner < me)),
      );
      if (before !== undefined) options.onWait(Number.parseInt(before.owner, 10));
      return before === undefined;
    };
    await waitUntil(first, { signal: options.signal, what: `the lock ${folder}` });
    return await work();
  } catch (error) {
    throw fileError(folder, error);
  } finally {
    await Promise.all([drawing, ...(ticket === undefined ? [] : [ticket])].map((file) => rm(file, { force: true })));
  }
}

const plain = (text: string | undefined): string => (text ?? '').replaceAll(/[^\w]/g, '');

/** The tickets of the living; those of the dead are removed on the way. */
async function tickets(folder: string): Promise<Ticket[]> {
  const found: Ticket[] = [];
  for (const name of await readdir(folder)) {
    const [, number, owner, pid, start, boot] = /^(draw|\d+)-((\d+)-(\w*)-(\w*)-\w+)$/.exec(name) ?? [];
    if (owner === undefined) continue;
    const alive = boot === plain(bootId()) && plain(processStartTime(Number(pid))) === start;
    if (!alive) await rm(path.join(folder, name), { force: true });
    else found.push({ owner, ...(number === 'draw' ? {} : { number: Number(number) }) });
  }
  return found;
}
