import type { DoctorResult } from './schemas.js';
import { duration, indent } from './text.js';

/** What `forge doctor` says to a person: findings first, the root above all, then what could not be told. */
export function doctorText({ healthy, findings, passed, couldNotRun, seconds }: DoctorResult): string {
  const counts = [`${passed.length} checks passed`, ...(couldNotRun.length === 0 ? [] : [`${couldNotRun.length} could not run`])].join(
    ', ',
  );
  const open = findings.filter(({ fixed }) => fixed !== true);
  const verdict =
    open.length === 0 ? 'Nothing is wrong' : healthy ? 'It works, with warnings' : 'Something is wrong; the first finding is the root';
  const fixable = open.some((finding) => finding.fixable) ? '\n`forge doctor --fix` mends what can be mended safely.' : '';
  return [...findings.map(findingText), unrunText(couldNotRun), `${verdict}: ${counts}, in ${duration(seconds)}.${fixable}`]
    .filter((part) => part !== '')
    .join('\n\n');
}

function findingText({ id, severity, component, title, cause, remedy, fixed, page }: DoctorResult['findings'][number]): string {
  const mark = fixed === true ? 'FIXED  ' : severity === 'error' ? 'ERROR  ' : 'WARNING';
  const where = component === undefined ? id : `${id}, ${component}`;
  return [
    `${mark} ${title} (${where})`,
    indent([cause, ...(fixed === true ? [] : [`Mend: ${remedy}`, `More: ${page}`])].join('\n'), 8),
  ].join('\n');
}

/** Those that wait for the same thing share a line. */
function unrunText(couldNotRun: DoctorResult['couldNotRun']): string {
  const byReason = new Map<string, string[]>();
  for (const { id, reason } of couldNotRun) byReason.set(reason, [...(byReason.get(reason) ?? []), id]);
  return [...byReason].map(([reason, ids]) => `not run  ${ids.join(', ')}: ${reason}`).join('\n');
}
