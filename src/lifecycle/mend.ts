import { stackChecks, placeChecks } from '../doctor/checks/index.js';
import type { Finding, Report } from '../doctor/examine.js';
import { usageError } from '../errors.js';
import type { OnEvent } from '../playbook/events.js';
import { findWorkspace } from '../workspace/workspace.js';
import { examineStack, type DoctorOptions } from './doctor.js';
import { bringUp, withLock } from './up.js';

export interface MendOptions extends DoctorOptions {
  /** Only what this check found; everything that may be mended when left out. */
  id?: string | undefined;
  note: (text: string) => void;
  onEvent: OnEvent;
}

export interface Mended {
  /** After the mending. */
  report: Report;
  /** What was found before, and is not found any more. */
  fixed: Finding[];
  /** What went wrong while mending. */
  error?: unknown;
}

/**
 * Mends what was found and may be mended without asking: each finding's own fix, and one `forge up` for all that it mends; then
 * looks again. A fix that `up` has to follow, since it stops a server, waits until `up` has nothing against beginning.
 * @throws ForgeError UNKNOWN_CHECK (exit 2), WORKSPACE_LOCKED
 */
export async function mend(before: Report, options: MendOptions): Promise<Mended> {
  const { id, note, signal } = options;
  const chosen = before.findings.filter((finding) => finding.fix !== undefined && (id === undefined || finding.id === id));
  if (chosen.length === 0) return { report: before, fixed: [] };
  const [alone, withUp] = [chosen.filter(({ fix }) => fix?.up !== true), chosen.filter(({ fix }) => fix?.up === true)];
  const failures: unknown[] = [];
  const runAll = async (findings: Finding[]): Promise<void> => void failures.push(...(await runFixes(findings, options)));
  try {
    if (alone.length > 0) await withLock(findWorkspace(options.folder), 'doctor --fix', () => runAll(alone));
    if (withUp.length > 0) {
      note('Running `forge up`');
      const { run } = await bringUp({ ...options, check: false, consent: async () => false, prepare: () => runAll(withUp) });
      if (run.error !== undefined) failures.push(run.error);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    failures.push(thrown);
  }
  const report = await examineStack({ ...options, also: chosen.map((finding) => finding.id) });
  const [error] = failures;
  return { report, fixed: mendedOf(chosen, report), ...(error === undefined ? {} : { error }) };
}

/** @throws ForgeError UNKNOWN_CHECK (exit 2) for an id that no check has */
export function requireCheck(id: string): void {
  const ids = [...placeChecks, ...stackChecks].map((check) => check.id);
  if (ids.includes(id)) return;
  throw usageError({ code: 'UNKNOWN_CHECK', message: `There is no check ${id}`, hint: `The checks are ${ids.join(', ')}` });
}

/** Runs each finding's own fix, whatever becomes of the others; gives what went wrong. */
async function runFixes(findings: readonly Finding[], { note, signal }: MendOptions): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const { title, fix } of findings) {
    if (fix?.run === undefined) continue;
    note(`${title}: ${fix.does}`);
    try {
      await fix.run(signal);
    } catch (thrown) {
      signal.throwIfAborted();
      failures.push(thrown);
    }
  }
  return failures;
}

/** Those whose check has looked again, and found nothing of the same server. What nobody could look at counts for nothing. */
export function mendedOf(chosen: readonly Finding[], { findings, passed }: Report): Finding[] {
  return chosen.filter(({ id, component }) => {
    const still = findings.filter((finding) => finding.id === id);
    return passed.includes(id) || (still.length > 0 && still.every((finding) => finding.component !== component));
  });
}
