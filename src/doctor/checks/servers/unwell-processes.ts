import { setTimeout as delay } from 'node:timers/promises';
import { componentOf, componentsOf } from '../../../components/index.js';
import { askItself, type ComponentState } from '../../../components/status.js';
import { listProcesses } from '../../../runtimes/process/state.js';
import { stopProcess } from '../../../runtimes/process/stop.js';
import type { ProcessState } from '../../../runtimes/types.js';
import { holderOf } from '../../../workspace/port-holder.js';
import { UP, type Fix, type StackPlace, type Trouble } from '../../check.js';
import { frozenAmong, letGoOn } from './frozen.js';
import { howItEnded } from './how-it-ended.js';
import { ownProcesses } from './own-processes.js';
import type { Unwell } from './unwell.js';

/** A busy server may miss one question. */
const AGAIN_MS = 3_000;
/** So long after its start it may still be on its way. */
const STARTING_MS = 60_000;

/** Servers as processes that do not serve. */
export async function unwellProcesses(place: StackPlace): Promise<Unwell[]> {
  const [processes, states] = await Promise.all([ownProcesses(place), place.states()]);
  if (states.length > 0 && states.every(({ state }) => state === 'stopped')) return [{ id: 'server-down', trouble: allDown() }];
  return (await Promise.all(states.map((state) => lookAt(place, state, processes)))).flat();
}

const allDown = (): Trouble => ({
  title: 'The stack is down: none of its servers runs',
  cause: 'They were stopped, by `forge down --keep-data` or by hand',
  remedy: '`forge up` starts them',
  fix: UP,
});

async function lookAt(place: StackPlace, state: ComponentState, processes: readonly ProcessState[]): Promise<Unwell[]> {
  const own = processes.filter(({ component }) => component === state.name);
  if (state.state === 'dead' || state.state === 'degraded' || state.state === 'stopped')
    return [{ id: 'server-down', trouble: await downTrouble(place, state, own) }];
  const running = own.filter((process) => process.state === 'running');
  const frozen = running.filter(({ pids }) => frozenAmong(pids).length > 0);
  if (frozen.length > 0) return [{ id: 'server-hung', trouble: frozenTrouble(place, state, frozen) }];
  if (state.state !== 'failing' || isToldElsewhere(state.reason)) return [];
  const reason = await stillFails(place, state.name);
  if (reason === undefined || isToldElsewhere(reason)) return [];
  return [{ id: 'server-hung', trouble: silentTrouble(place, state.name, reason, running) }];
}

async function downTrouble({ stack }: StackPlace, { name, state }: ComponentState, own: ProcessState[]): Promise<Trouble> {
  const names = componentOf(name).process?.names ?? [];
  const absent = names.filter((one) => !own.some((process) => process.name === one && process.state === 'running'));
  const causes = await Promise.all(absent.map(async (one) => `${one} ${await howItEnded(stack.workspace, one)}`));
  const endpoint = stack.endpoints[componentsOf(stack).find((component) => component.name === name)?.endpoint ?? ''];
  const holder = state === 'degraded' || endpoint === undefined ? undefined : holderOf(endpoint.port);
  const base = { component: name, title: state === 'degraded' ? `${name} runs in part only` : `${name} does not run` };
  if (holder === undefined) return { ...base, cause: causes.join('; '), remedy: '`forge up` starts what is not running', fix: UP };
  return {
    ...base,
    cause: `${causes.join('; ')}; its port ${endpoint?.port} is held by process ${holder.pid} (${holder.command}), which is not forge's`,
    remedy: 'End that process, then run `forge up`',
  };
}

/** What checks of the server itself tell better: its answer was no. */
const isToldElsewhere = (reason = ''): boolean => /refuses the password|tells its clients to use|refuses user/.test(reason);

/** Why it fails when it is asked again for a while; undefined when it answers after all. */
async function stillFails({ stack, signal }: StackPlace, name: string): Promise<string | undefined> {
  const until = Date.now() + AGAIN_MS;
  for (;;) {
    const { state, reason } = await askItself(stack, componentOf(name), signal);
    if (state === 'running') return undefined;
    if (Date.now() > until) return reason ?? state;
    await delay(200, undefined, { signal });
  }
}

/**
 * Stops exactly these, and `forge up` starts them again. LocalStack forgets everything when it ends, so `up` alone decides, after
 * more patience.
 */
function restart({ stack }: StackPlace, name: string, processes: readonly ProcessState[]): Fix {
  const does = `restarts ${name}`;
  if (name === 'localstack') return { does, up: true };
  const run = async (signal: AbortSignal): Promise<void> => {
    for (const process of processes) await stopProcess(stack.workspace, process.name, signal);
  };
  return { does, run, up: true };
}

/** Lets exactly those go on that are suspended now: nothing is lost; `up` restarts what does not recover. */
const goOn = ({ stack }: StackPlace, name: string): Fix => ({
  does: `lets ${name} go on`,
  up: true,
  run: async () => {
    const own = await listProcesses(stack.workspace);
    for (const { component, pids } of own) if (component === name) letGoOn(pids);
  },
});

function frozenTrouble(place: StackPlace, { name }: ComponentState, frozen: ProcessState[]): Trouble {
  const pids = frozen.flatMap((process) => frozenAmong(process.pids).map((pid) => `${pid} (${process.name})`));
  return {
    component: name,
    title: `${name} is frozen: its process is there and does nothing`,
    cause: `Process ${pids.join(', ')} is stopped (state T): somebody suspended it (SIGSTOP, Ctrl-Z), or a debugger holds it`,
    remedy: '`forge doctor --fix` lets it go on, as `kill -CONT PID` does, and restarts it if it still does not answer',
    fix: goOn(place, name),
  };
}

function silentTrouble(place: StackPlace, name: string, reason: string, running: ProcessState[]): Trouble {
  const ages = running.map(({ startedAt }) => (startedAt === undefined ? Infinity : Date.now() - Date.parse(startedAt)));
  const who = running.map((process) => `${process.name} (pid ${process.pid})`).join(', ');
  const base = { component: name, cause: `${who}: ${reason}; see \`forge logs ${name}\`` };
  if (Math.min(...ages) < STARTING_MS)
    return {
      ...base,
      title: `${name} does not answer yet: it was started less than a minute ago`,
      remedy: '`forge up` waits for it',
      fix: UP,
    };
  const fix = restart(place, name, running);
  return { ...base, title: `${name} runs and does not answer`, remedy: '`forge doctor --fix` restarts it', fix };
}
