import path from 'node:path';
import { NO_STACK } from '../doctor/examine.js';
import { packageRoot } from './paths.js';
import type { DoctorResult } from './schemas.js';
import { duration, indent } from './text.js';

/** What `forge doctor` says to a person: findings first, the root above all, then what could not be told. */
export function doctorText(result: DoctorResult): string {
  const { findings, couldNotRun, seconds } = result;
  const open = findings.filter(({ fixed }) => fixed !== true);
  const fixable = open.some((finding) => finding.fixable) ? '\n`forge doctor --fix` mends what can be mended safely.' : '';
  return [...findings.map(findingText), unrunText(couldNotRun), `${verdictOf(result)}, in ${duration(seconds)}.${fixable}`]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** What could not be looked at may be wrong all the same; but a stack that nobody has brought up yet is not broken. */
function verdictOf({ healthy, findings, passed, couldNotRun }: DoctorResult): string {
  const some = (count: number): string => `${count} check${count === 1 ? '' : 's'}`;
  const unrun = couldNotRun.filter(({ reason }) => reason !== NO_STACK).length;
  if (findings.some(({ fixed }) => fixed !== true)) {
    const verdict = healthy ? 'It works, with warnings' : 'Something is wrong; the first finding is the root';
    return `${verdict}: ${some(passed.length)} passed${unrun === 0 ? '' : `, ${unrun} could not run`}`;
  }
  if (unrun > 0) return `Nothing was found, but ${some(unrun)} could not run: ${passed.length} passed`;
  return `Nothing is wrong${couldNotRun.length === 0 ? '' : ' so far'}: ${some(passed.length)} passed`;
}

function findingText({ id, severity, component, title, cause, remedy, fixed, page }: DoctorResult['findings'][number]): string {
  const mark = fixed === true ? 'FIXED  ' : severity === 'error' ? 'ERROR  ' : 'WARNING';
  const where = component === undefined ? id : `${id}, ${component}`;
  return [
    `${mark} ${title} (${where})`,
    indent([cause, ...(fixed === true ? [] : [`Mend: ${remedy}`, `More: ${placeOf(page)}`])].join('\n'), 8),
  ].join('\n');
}

/** Where the page is for whoever reads it: it came with forge, which is most often in another folder. */
export function placeOf(page: string, from = process.cwd()): string {
  const file = path.join(packageRoot(), page);
  const near = path.relative(from, file);
  return near.startsWith('..') ? file : near;
}

/** Those that wait for the same thing share a line. */
function unrunText(couldNotRun: DoctorResult['couldNotRun']): string {
  const byReason = new Map<string, string[]>();
  for (const { id, reason } of couldNotRun) byReason.set(reason, [...(byReason.get(reason) ?? []), id]);
  return [...byReason].map(([reason, ids]) => `not run  ${ids.join(', ')}: ${reason}`).join('\n');
}
