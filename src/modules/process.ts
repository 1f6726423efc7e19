import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { processPartOf } from '../components/index.js';
import { changedParts } from '../components/component.js';
import { installedPackages } from '../components/packages.js';
import { ForgeError, serverError } from '../errors.js';
import { probeOnce } from '../runtimes/probe.js';
import { strangerAnswers } from '../runtimes/process/ports.js';
import { awaitProcess, startProcess, type StartContext } from '../runtimes/process/spawn.js';
import { processState } from '../runtimes/process/state.js';
import { stopProcess } from '../runtimes/process/stop.js';
import type { ProcessSpec, ProcessState } from '../runtimes/types.js';
import { defineModule, type Observation, type TaskContext } from './contract.js';

const schema = z.strictObject({ component: z.string(), process: z.string() });
type Args = z.output<typeof schema>;

/** A server that was fine may be busy for a while; one that is silent for longer than this is started anew. */
const SILENT_MS = 25_000;
const GLANCE_MS = 3_000;

async function specOf({ component, process }: Args, { stack }: TaskContext): Promise<ProcessSpec> {
  const specs = await processPartOf(component).specs(stack, await installedPackages(stack));
  const spec = specs.find((candidate) => candidate.name === process);
  if (spec !== undefined) return spec;
  throw serverError({ code: 'UNKNOWN_PROCESS', message: `${component} has no process ${process}`, hint: 'Mend the playbook' });
}

const startContext = (context: TaskContext): StartContext => ({
  workspace: context.stack.workspace,
  ports: context.stack.ports,
  signal: context.signal,
  waitingFor: context.waitingFor,
});

const ageSeconds = (state: ProcessState): number =>
  state.startedAt === undefined ? Infinity : (Date.now() - new Date(state.startedAt).getTime()) / 1000;

async function observeRunning(args: Args, state: ProcessState, context: TaskContext): Promise<Observation> {
  let spec: ProcessSpec;
  try {
    spec = await specOf(args, context);
  } catch (error) {
    if (!(error instanceof ForgeError) || error.code !== 'CREDENTIAL_MISSING') throw error;
    const diff = [{ field: 'credentials', is: 'those that it was started with', should: 'new ones' }];
    return { state: 'drifted', message: 'its credentials are gone and will be made anew', diff };
  }
  const changed = changedParts(state.fingerprint ?? '', spec.fingerprint);
  if (changed.length > 0) {
    const diff = changed.map((field) => ({ field, is: 'as it was started', should: 'as configured now' }));
    return { state: 'drifted', message: `its ${changed.join(' and ')} changed`, diff };
  }
  context.waitingFor(spec.ready.description);
  const glance = context.stack.orders?.glance === true;
  const limit = Date.now() + (ageSeconds(state) < spec.readySeconds ? 0 : glance ? GLANCE_MS : SILENT_MS);
  for (;;) {
    const { holds, why } = await probeOnce(spec.ready, context.signal, glance ? GLANCE_MS : undefined);
    if (holds) {
      const stranger = await strangerAnswers(spec, context.stack.ports, context.stack.workspace);
      if (stranger === undefined) return { state: 'in-sync' };
      return { state: 'drifted', message: stranger.message, diff: [{ field: 'port', is: 'held by another process', should: 'its own' }] };
    }
    await delay(100, undefined, { signal: context.signal });
    if (Date.now() < limit && (await processState(context.stack.workspace, spec.name)).state === 'running') continue;
    // What stands on it cannot be seen either, and is not asked for.
    if (glance) return { state: 'unknown', reason: `it runs but does not serve (${why ?? 'not ready'})` };
    const diff = [{ field: 'answer', is: why ?? 'not ready', should: 'ready' }];
    const starting = ageSeconds(state) < spec.readySeconds;
    return { state: 'drifted', message: starting ? 'it is still starting' : `it runs but does not serve (${why ?? 'not ready'})`, diff };
  }
}

/** A server process. Its data stays when it is removed: `down` decides on that. */
export const processModule = defineModule<Args>({
  name: 'process',
  summary: 'A process of a component, running with the present configuration',
  schema,
  timeoutSeconds: 180,

  async observe(args, context) {
    const state = await processState(context.stack.workspace, args.process);
    if (state.state !== 'running') return { state: 'missing', message: state.reason ?? 'was not running' };
    return observeRunning(args, state, context);
  },

  async apply(args, observation, context) {
    const { workspace } = context.stack;
    const spec = await specOf(args, context);
    const state = await processState(workspace, args.process);
    const onItsWay = state.state === 'running' && state.fingerprint === spec.fingerprint && ageSeconds(state) < spec.readySeconds;
    if (onItsWay) {
      await awaitProcess(spec, startContext(context));
      return 'it was still starting; it is ready now';
    }
    const ran = await stopProcess(workspace, spec.name, context.signal);
    const component = processPartOf(args.component);
    const packages = await installedPackages(context.stack);
    await component.prepare(context.stack, packages, spec.name, context.signal);
    await component.beside?.(context.stack, packages, spec.name, context.signal);
    await startProcess(spec, startContext(context));
    return `${observation.message ?? 'was not running'}; ${ran ? 'restarted' : 'started'}`;
  },

  async remove(args, context) {
    await stopProcess(context.stack.workspace, args.process, context.signal);
  },
});
