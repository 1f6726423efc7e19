import { ending } from './failure.js';
import { containersOf, type Pod } from './pod-types.js';
import { failedCondition } from './ready.js';
import type { Found } from './report.js';
import type { WorkloadView } from './view.js';

/** Why a Job has failed for good, with the last of its pods. */
export function jobFailure({ workload, pods }: Pick<WorkloadView, 'workload' | 'pods'>): Found | undefined {
  const failed = failedCondition(workload);
  if (failed === undefined) return undefined;
  const what = `the Job failed (${failed.reason ?? 'no reason given'}${failed.message === undefined ? '' : `: ${failed.message}`})`;
  const last = newest(pods.filter((pod) => crashIn(pod) !== undefined));
  const crash = last === undefined ? undefined : crashIn(last);
  if (last === undefined || crash === undefined)
    return { failure: { code: 'JOB_FAILED', what, hint: 'See the events above; `forge up` runs the Job anew' } };
  const { what: how, hint } = ending(crash.terminated, '');
  const anew = `${hint.replace(/; run `forge up` again when it is mended$/, '')}; \`forge up\` runs the Job anew`;
  return { pod: last, failure: { code: 'JOB_FAILED', what: `${what}; ${how}`, hint: anew, container: crash.name, hasLog: crash.log } };
}

function crashIn(pod: Pod) {
  for (const { name, state, lastState } of containersOf(pod)) {
    const terminated = state?.terminated ?? lastState?.terminated;
    if (terminated !== undefined && terminated.exitCode !== 0)
      return { name, terminated, log: state?.terminated === undefined ? ('before' as const) : ('now' as const) };
  }
  return undefined;
}

const newest = (pods: Pod[]): Pod | undefined =>
  [...pods].sort((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '')).at(-1);
