import { probeOnce } from '../runtimes/probe.js';
import { listProcesses } from '../runtimes/process/state.js';
import type { ProcessState } from '../runtimes/types.js';
import type { StackContext } from '../workspace/context.js';
import type { Component } from './component.js';
import { componentsOf } from './index.js';

export interface ComponentState {
  name: string;
  /** `failing`: its processes or pods are there and it does not answer; `degraded`: some of them are missing. */
  state: 'running' | 'failing' | 'degraded' | 'dead' | 'stopped';
  /** host:port */
  endpoint: string;
  /** Of a server as processes. */
  pids?: number[];
  /** Names of the pods of a server on Kubernetes. */
  pods?: string[];
  /** 0 where it was not asked for: to measure the memory of all takes as long as all else. */
  residentBytes: number;
  reason?: string;
}

async function stateOf(
  context: StackContext,
  component: Component,
  processes: ProcessState[],
  signal?: AbortSignal,
): Promise<ComponentState> {
  const endpoint = context.endpoints[component.endpoint];
  const own = processes.filter((process) => process.component === component.name);
  const base = {
    name: component.name,
    endpoint: endpoint === undefined ? '' : `${endpoint.host}:${endpoint.port}`,
    pids: own.flatMap((process) => process.pids),
    residentBytes: own.reduce((sum, process) => sum + (process.residentBytes ?? 0), 0),
  };
  const runs = (name: string): boolean => own.some((process) => process.name === name && process.state === 'running');
  const names = component.process?.names ?? [];
  const absent = names.filter((name) => !runs(name));
  if (absent.length > 0) {
    const dead = own.filter((process) => process.state === 'dead');
    const reasons = absent.map((name) => `${name} ${dead.find((process) => process.name === name)?.reason ?? 'is not running'}`);
    const state = absent.length < names.length ? 'degraded' : dead.length > 0 ? 'dead' : 'stopped';
    return { ...base, state, reason: reasons.join('; ') };
  }
  return { ...base, ...(await askItself(context, component, signal)) };
}

/** Whether a server whose processes or pods are all there answers as well. */
export async function askItself(
  context: StackContext,
  component: Component,
  signal?: AbortSignal,
): Promise<Pick<ComponentState, 'state' | 'reason'>> {
  const probe = component.probe(context);
  const { holds, why } = await probeOnce(probe, signal);
  return holds
    ? { state: 'running' }
    : { state: 'failing', reason: `not true: ${probe.description}${why === undefined ? '' : ` (${why})`}` };
}

/** Every component of the stack as it really is: its processes are looked for and it is asked itself, all at once. */
export async function componentStates(context: StackContext, signal?: AbortSignal, { memory = false } = {}): Promise<ComponentState[]> {
  const processes = await listProcesses(context.workspace, { memory });
  return Promise.all(componentsOf(context).map((component) => stateOf(context, component, processes, signal)));
}
