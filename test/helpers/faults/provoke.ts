import { expect } from 'vitest';
import type { DoctorResult, UpResult } from '../../../src/cli/schemas.js';
import type { Ran, Sandbox } from '../forge.js';
import { waitFor } from '../lake.js';
import type { Fault } from './fault.js';

/** A fault may need a checkpoint, a probe or a restart until it shows, and so may its end. */
const SHOWS_MS = 90_000;

/** A stack that forge is run on. */
type Runs = Pick<Sandbox, 'forge' | 'ok'>;

const doctor = (box: Runs, args: string[] = [], env: Record<string, string> = {}): Promise<Ran<DoctorResult>> =>
  box.forge<DoctorResult>(['doctor', ...args, '--json'], { env });

/** So many runs find nothing, and can tell everything but what these checks would. */
export async function expectHealthyRuns(box: Runs, runs: number, silent: string[] = []): Promise<void> {
  let busy = 0;
  for (let run = 1; run <= runs; run++) {
    const { json, code } = await doctor(box);
    // A machine that is too busy to answer in time is told so, which is no false finding; it has to be the exception.
    if (json.findings.length === 0 && json.couldNotRun.some(({ reason }) => TOO_LATE.test(reason)) && ++busy <= MOST_BUSY) run--;
    else
      expect([run, code, json.findings, json.couldNotRun.map(({ id }) => id)], JSON.stringify(json.couldNotRun)).toEqual([
        run,
        0,
        [],
        silent,
      ]);
  }
}

const TOO_LATE = /it took longer than \d+ s$/;
const MOST_BUSY = 3;

/** Breaks something; doctor names it first, and mends it or has it mended; then nothing is wrong any more. */
export async function provoke<Box extends Runs>(
  box: Box,
  { env = {}, inject, finding, mend }: Fault<Box>,
  silent: string[] = [],
): Promise<void> {
  let undo: (() => unknown) | undefined;
  let [isSeen, isWell] = [false, false];
  try {
    undo = await inject?.(box);
    const { code, json } = await seen(box, finding, env);
    const [first] = json.findings;
    expect(first!.cause).toMatch(finding.cause);
    expect(first!.fixable).toBe(mend === 'fix');
    expect([code, json.healthy]).toEqual(first!.severity === 'error' ? [5, false] : [0, true]);
    if (mend === 'fix') {
      const mended = await doctor(box, ['--fix'], env);
      expect([mended.code, mended.json.healthy], JSON.stringify(mended.json, null, 2)).toEqual([0, true]);
      expect(mended.json.findings.find(({ id }) => id === finding.id)?.fixed).toBe(true);
      // It has looked again at everything.
      isWell = mended.json.findings.every(({ fixed }) => fixed === true) && mended.json.couldNotRun.length === silent.length;
    }
    isSeen = true;
  } finally {
    await undo?.();
    // One row that fails is not to spoil those after it.
    if (!isSeen) await doctor(box, ['--fix']);
  }
  if (isWell && undo === undefined) return;
  if (mend === 'undo' && inject !== undefined) await box.ok<UpResult>(['up']);
  await waitFor(async () => {
    const { json } = await doctor(box);
    expect([json.findings, json.couldNotRun.map(({ id }) => id)], JSON.stringify(json.couldNotRun)).toEqual([[], silent]);
  }, SHOWS_MS);
}

/** Waits until doctor names this first. */
export async function expectFirst(box: Runs, finding: Fault['finding']): Promise<void> {
  const { json } = await seen(box, finding, {});
  expect(json.findings[0]!.cause).toMatch(finding.cause);
}

/** Runs doctor until the finding is the first one. */
async function seen(box: Runs, { id, severity = 'error', component }: Fault['finding'], env: Record<string, string>) {
  let last: Ran<DoctorResult> | undefined;
  await waitFor(async () => {
    last = await doctor(box, [], env);
    const [first] = last.json.findings;
    const told = { id: first?.id, severity: first?.severity, component: component === undefined ? undefined : first?.component };
    expect(told, JSON.stringify(last.json, null, 2)).toEqual({ id, severity, component });
  }, SHOWS_MS);
  return last!;
}
