import type { ComponentState } from '../components/status.js';
import type { RuntimeName, StackContext } from '../workspace/context.js';
import type { Workspace } from '../workspace/workspace.js';

export interface TakeDown {
  /** Stops the servers and keeps what they hold. */
  keepData: boolean;
  signal: AbortSignal;
  note: (text: string) => void;
}

/** What the commands need of the place where servers run; the tasks of the playbooks do the rest. */
export interface StackRuntime {
  /** Everything that this machine lacks for the stack, in one error (exit code 3), before anything is written. */
  require(stack: StackContext, signal: AbortSignal): Promise<void>;
  /** Tells of a port on this machine whether this workspace's own stack holds it, as things are now. */
  ownPorts(workspace: Workspace, stack?: StackContext): Promise<(port: number) => boolean>;
  /** Before the tasks run: stops what an earlier choice (another catalog, another engine) started and this one does not have. */
  withdraw(stack: StackContext, signal: AbortSignal): Promise<void>;
  /** After the tasks, however they ended. */
  settle(stack: StackContext): Promise<void>;
  /** Runs `use` while this machine reaches every endpoint of the stack. */
  withAccess<T>(stack: StackContext, signal: AbortSignal, use: () => Promise<T>): Promise<T>;
  /** What really runs: every component is looked for and asked itself; with `memory`, what it takes is measured too. */
  states(stack: StackContext, signal: AbortSignal, options?: { memory?: boolean }): Promise<ComponentState[]>;
  /**
   * Stops what runs of this workspace, and without `keepData` removes it all, matched exactly; fine when there is nothing, and
   * with a damaged configuration too. Gives the names of what was stopped.
   */
  down(workspace: Workspace, options: TakeDown): Promise<string[]>;
}

/** The runtime of that name; its code is loaded when it is used. */
export async function runtimeOf(name: RuntimeName): Promise<StackRuntime> {
  switch (name) {
    case 'process':
      return (await import('./runtimes/process.js')).processRuntime;
    case 'k3d':
      return (await import('./runtimes/k3d.js')).k3dRuntime;
    case 'kubernetes':
      return (await import('./runtimes/kubernetes.js')).kubernetesRuntime;
  }
}
