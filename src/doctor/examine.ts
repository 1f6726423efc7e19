import { unlessAborted } from '../clients/wait.js';
import { messageOf } from '../errors.js';
import { redact } from '../workspace/secret.js';
import { Behind, type Check, type Fix, type Group, type Place, type Severity, type StackPlace, type Trouble } from './check.js';

export interface Finding extends Omit<Trouble, 'fix' | 'severity'> {
  id: string;
  group: Group;
  severity: Severity;
  /** Where docs tell more. */
  page: string;
  fix: Fix | undefined;
}

export interface Report {
  /** What caused what: errors before warnings, and from the ground up. */
  findings: Finding[];
  passed: string[];
  couldNotRun: { id: string; reason: string }[];
}

export interface Examination {
  /** Each in the order of what causes what. */
  checks: { place: readonly Check<Place>[]; stack: readonly Check[] };
  place: Omit<Place, 'signal' | 'share'>;
  /** What checks of the stack know beside; or why they cannot run, and which checks tell of that. */
  stack: Omit<StackPlace, keyof Place> | { why: string; behind: readonly string[] };
  /** Only these. What they need runs too, and is told where it found what keeps them from looking. */
  only?: (check: { id: string; group: Group }) => boolean;
  signal: AbortSignal;
  /** Told as checks end. */
  progress?: (done: number, all: number) => void;
}

const DEADLINE_SECONDS = 5;

/** Why every check of a stack could not run before the first `up`. */
export const NO_STACK = 'there is no stack here yet: `forge up` makes one';

/** A check that could not run has those behind which it is. */
type Outcome = { findings: Finding[] } | Unrun;
interface Unrun {
  reason: string;
  behind: readonly string[];
}
/** A check that is about this stack, with all that it needs to know; or why that is not to be had. */
interface Ready {
  check: Omit<Check<never>, 'look' | 'concerns'>;
  look: ((signal: AbortSignal) => Promise<Trouble[]>) | Unrun;
}

/** Runs all checks at once, each as soon as those that it needs have passed. Throws only when it is interrupted. */
export async function examine(examination: Examination): Promise<Report> {
  const { signal, progress, only = () => true } = examination;
  const all = concerned(examination);
  const wanted = withNeeds(all, only);
  const outcomes = new Map<Ready, Promise<Outcome>>();
  let done = 0;
  const outcomeOf = (one: Ready): Promise<Outcome> => {
    const known = outcomes.get(one);
    if (known !== undefined) return known;
    const obstacle = obstacleOf(one, all, outcomeOf);
    const outcome = run(one, obstacle, signal).finally(() => progress?.(++done, Math.max(done, wanted.length)));
    outcomes.set(one, outcome);
    return outcome;
  };
  await Promise.all(wanted.map(outcomeOf));
  const asked = wanted.filter(({ check }) => only(check));
  // Without what kept them from looking, a stack that is down would look well. The loop sees what it adds.
  const told = new Set(asked);
  for (const one of told) {
    const outcome = await outcomeOf(one);
    if ('reason' in outcome) for (const root of all) if (outcome.behind.includes(root.check.id)) told.add(root);
  }
  signal.throwIfAborted();
  const endOf = async (one: Ready): Promise<Ended> => ({ check: one.check, outcome: await outcomeOf(one), isAsked: asked.includes(one) });
  return reportOf(await Promise.all(all.filter((one) => told.has(one)).map(endOf)));
}

function concerned({ checks, place, stack, signal }: Examination): Ready[] {
  const memory = new Map<string, Promise<unknown>>();
  const share = <T>(key: string, make: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const known = memory.get(key) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const made = make(signal);
    // Whoever asked may have reached a deadline before.
    made.catch(() => undefined);
    memory.set(key, made);
    return made;
  };
  const common: Place = { ...place, signal, share };
  const places = ready(checks.place, common);
  if ('why' in stack) return [...places, ...checks.stack.map((check) => ({ check, look: { reason: stack.why, behind: stack.behind } }))];
  const once = { tasks: () => share('tasks', () => stack.tasks()), states: () => share('states', () => stack.states()) };
  const ofStack = ready(checks.stack, { ...common, ...stack, ...once });
  return [...places, ...(stack.isKnown ? ofStack : ofStack.map(beforeUp))];
}

/** Before the first `up` there is nothing to look at but the machine and the workspace. */
const beforeUp = (one: Ready): Ready =>
  one.check.group === 'machine' || one.check.group === 'workspace' ? one : { check: one.check, look: { reason: NO_STACK, behind: [] } };

const ready = <P extends Place>(checks: readonly Check<P>[], place: P): Ready[] =>
  checks.filter((check) => check.concerns?.(place) ?? true).map((check) => ({ check, look: (signal) => check.look({ ...place, signal }) }));

const needsOf = ({ check: { needs = [], unless = [] } }: Ready, all: Ready[]): Ready[] =>
  all.filter(({ check: { id } }) => needs.includes(id) || unless.includes(id));

function withNeeds(all: Ready[], only: (check: Ready['check']) => boolean): Ready[] {
  const wanted = new Set(all.filter(({ check }) => only(check)));
  // The loop sees what it adds: what is needed by what is needed.
  for (const one of wanted) for (const needed of needsOf(one, all)) wanted.add(needed);
  return all.filter((one) => wanted.has(one));
}

/** Why a check cannot tell anything; one that is not about this stack is no obstacle. */
async function obstacleOf(it: Ready, all: Ready[], outcomeOf: (one: Ready) => Promise<Outcome>): Promise<Unrun | undefined> {
  for (const one of needsOf(it, all)) {
    const outcome = await outcomeOf(one);
    const behind = [one.check.id];
    const isNeeded = it.check.needs?.includes(one.check.id) === true;
    if ('reason' in outcome && !isNeeded) continue;
    if ('reason' in outcome) return { reason: `needs ${one.check.id}, which could not run`, behind };
    const [first] = outcome.findings;
    if (first !== undefined) return { reason: `needs ${one.check.id} (${first.title})`, behind };
  }
  return undefined;
}

async function run({ check, look }: Ready, obstacle: Promise<Unrun | undefined>, signal: AbortSignal): Promise<Outcome> {
  if (typeof look === 'object') return look;
  const before = await obstacle;
  if (before !== undefined) return before;
  const seconds = check.seconds ?? DEADLINE_SECONDS;
  const deadline = AbortSignal.timeout(seconds * 1000);
  const own = AbortSignal.any([signal, deadline]);
  try {
    const troubles = await unlessAborted(look(own), own);
    return { findings: troubles.map((trouble) => findingOf(check, trouble)) };
  } catch (error) {
    if (signal.aborted) return { reason: 'interrupted', behind: [] };
    if (deadline.aborted) return { reason: `it took longer than ${seconds} s`, behind: [] };
    return { reason: redact(messageOf(error)), behind: error instanceof Behind ? [error.id] : [] };
  }
}

function findingOf({ id, group, severity = 'error' }: Ready['check'], trouble: Trouble): Finding {
  const { component, title, cause, remedy, fix } = trouble;
  return {
    id,
    group,
    severity: trouble.severity ?? severity,
    ...(component === undefined ? {} : { component }),
    title: redact(title),
    cause: redact(cause),
    remedy: redact(remedy),
    page: `docs/troubleshooting.md#${id}`,
    fix,
  };
}

interface Ended {
  check: Ready['check'];
  outcome: Outcome;
  /** Whether it was asked for; one that was not is told of by its findings alone. */
  isAsked: boolean;
}

function reportOf(ended: Ended[]): Report {
  const findings = ended.flatMap(({ outcome }) => ('findings' in outcome ? outcome.findings : []));
  const of = (severity: Severity): Finding[] => findings.filter((finding) => finding.severity === severity);
  const asked = ended.filter(({ isAsked }) => isAsked);
  return {
    findings: [...of('error'), ...of('warning')],
    passed: asked.flatMap(({ check, outcome }) => ('findings' in outcome && outcome.findings.length === 0 ? [check.id] : [])),
    couldNotRun: asked.flatMap(({ check, outcome }) => ('reason' in outcome ? [{ id: check.id, reason: outcome.reason }] : [])),
  };
}
