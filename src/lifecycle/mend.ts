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
 * Mends what was found and may be mended without asking: first each finding's own fix, then one `forge up` for all that it
 * mends; then looks again.
 * @throws ForgeError UNKNOWN_CHECK (exit 2), WORKSPACE_LOCKED
 */
export async function mend(before: Report, options: MendOptions): Promise<Mended> {
  const { id, note, signal } = options;
  const chosen = before.findings.filter((finding) => finding.fix !== undefined && (id === undefined || finding.id === id));
  if (chosen.length === 0) return { report: before, fixed: [] };
  let error: unknown;
  try {
    await runOwnFixes(chosen, options);
    if (chosen.some(({ fix }) => fix?.up === true)) {
      note('Running `forge up`');
      const { run } = await bringUp({ ...options, check: false, consent: async () => false });
      error = run.error;
    }
  } catch (thrown) {
    signal.throwIfAborted();
    error = thrown;
  }
  const report = await examineStack(options);
  const fixed = chosen.filter((finding) => !report.findings.some((still) => isSame(still, finding)));
  return { report, fixed, ...(error === undefined ? {} : { error }) };
}

/** @throws ForgeError UNKNOWN_CHECK (exit 2) for an id that no check has */
export function requireCheck(id: string): void {
  const ids = [...placeChecks, ...stackChecks].map((check) => check.id);
  if (ids.includes(id)) return;
  throw usageError({ code: 'UNKNOWN_CHECK', message: `There is no check ${id}`, hint: `The checks are ${ids.join(', ')}` });
}

async function runOwnFixes(chosen: Finding[], { folder, note, signal }: MendOptions): Promise<void> {
  const own = chosen.filter(({ fix }) => fix?.run !== undefined);
  if (own.length === 0) return;
  await withLock(findWorkspace(folder), 'doctor --fix', async () => {
    for (const { title, fix } of own) {
      note(`${title}: ${fix!.does}`);
      await fix!.run!(signal);
    }
  });
}

const isSame = (a: Finding, b: Finding): boolean => a.id === b.id && a.component === b.component && a.title === b.title;
