import { messageOf } from '../errors.js';
import { redact } from '../workspace/secret.js';
import type { Check, Fix, Group, Place, Severity, StackPlace, Trouble } from './check.js';

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
  /** What checks of the stack know beside, or why they cannot run. */
  stack: Omit<StackPlace, keyof Place> | { why: string };
  /** Only these; what they need runs too, and is not told. */
  only?: (check: { id: string; group: Group }) => boolean;
  signal: AbortSignal;
  /** Told as checks end. */
  progress?: (done: number, all: number) => void;
}

const DEADLINE_SECONDS = 5;

type Outcome = { findings: Finding[] } | { reason: string };
/** A check that is about this stack, with all that it needs to know; or why that is not to be had. */
interface Ready {
  check: Omit<Check<never>, 'look' | 'concerns'>;
  look?: (signal: AbortSignal) => Promise<Trouble[]>;
  why?: string;
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
    const obstacle = obstacleOf(needsOf(one, all), outcomeOf);
    const outcome = run(one, obstacle, signal).finally(() => progress?.(++done, wanted.length));
    outcomes.set(one, outcome);
    return outcome;
  };
  const ended = await Promise.all(wanted.map(async (one) => ({ check: one.check, outcome: await outcomeOf(one) })));
  signal.throwIfAborted();
  return reportOf(ended.filter(({ check }) => only(check)));
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
  if ('why' in stack) return [...places, ...checks.stack.map((check) => ({ check, why: stack.why }))];
  const once = { tasks: () => share('tasks', () => stack.tasks()), states: () => share('states', () => stack.states()) };
  const ofStack = ready(checks.stack, { ...common, ...stack, ...once });
  return [...places, ...(stack.isKnown ? ofStack : ofStack.map(beforeUp))];
}

/** Before the first `up` there is nothing to look at but the machine and the workspace. */
const beforeUp = (one: Ready): Ready =>
  one.check.group === 'machine' || one.check.group === 'workspace'
    ? one
    : { check: one.check, why: 'there is no stack here yet: `forge up` makes one' };

const ready = <P extends Place>(checks: readonly Check<P>[], place: P): Ready[] =>
  checks.filter((check) => check.concerns?.(place) ?? true).map((check) => ({ check, look: (signal) => check.look({ ...place, signal }) }));

const needsOf = ({ check }: Ready, all: Ready[]): Ready[] => all.filter((one) => check.needs?.includes(one.check.id) === true);

function withNeeds(all: Ready[], only: (check: Ready['check']) => boolean): Ready[] {
  const wanted = new Set(all.filter(({ check }) => only(check)));
  // The loop sees what it adds: what is needed by what is needed.
  for (const one of wanted) for (const needed of needsOf(one, all)) wanted.add(needed);
  return all.filter((one) => wanted.has(one));
}

/** Why a check cannot tell anything; one that is not about this stack is no obstacle. */
async function obstacleOf(needed: Ready[], outcomeOf: (one: Ready) => Promise<Outcome>): Promise<string | undefined> {
  for (const one of needed) {
    const outcome = await outcomeOf(one);
    if ('reason' in outcome) return `${one.check.id}, which could not run`;
    const [first] = outcome.findings;
    if (first !== undefined) return `${one.check.id} (${first.title})`;
  }
  return undefined;
}

async function run({ check, look, why }: Ready, obstacle: Promise<string | undefined>, signal: AbortSignal): Promise<Outcome> {
  if (look === undefined) return { reason: why ?? 'unknown' };
  const before = await obstacle;
  if (before !== undefined) return { reason: `needs ${before}` };
  const seconds = check.seconds ?? DEADLINE_SECONDS;
  const deadline = AbortSignal.timeout(seconds * 1000);
  const own = AbortSignal.any([signal, deadline]);
  try {
    const troubles = await Promise.race([look(own), rejectedBy(own)]);
    return { findings: troubles.map((trouble) => findingOf(check, trouble)) };
  } catch (error) {
    if (signal.aborted) return { reason: 'interrupted' };
    return { reason: deadline.aborted ? `it took longer than ${seconds} s` : redact(messageOf(error)) };
  }
}

/** For a check that does not listen. */
function rejectedBy(signal: AbortSignal): Promise<never> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  late.catch(() => undefined);
  return late;
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

function reportOf(ended: { check: Ready['check']; outcome: Outcome }[]): Report {
  const findings = ended.flatMap(({ outcome }) => ('findings' in outcome ? outcome.findings : []));
  const of = (severity: Severity): Finding[] => findings.filter((finding) => finding.severity === severity);
  return {
    findings: [...of('error'), ...of('warning')],
    passed: ended.flatMap(({ check, outcome }) => ('findings' in outcome && outcome.findings.length === 0 ? [check.id] : [])),
    couldNotRun: ended.flatMap(({ check, outcome }) => ('reason' in outcome ? [{ id: check.id, reason: outcome.reason }] : [])),
  };
}
