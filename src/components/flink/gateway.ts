import { startProcess } from '../../runtimes/process/spawn.js';
import { processState } from '../../runtimes/process/state.js';
import { stopProcess } from '../../runtimes/process/stop.js';
import type { StackContext } from '../../workspace/context.js';
import { portOf } from '../component.js';
import { installedPackages } from '../packages.js';
import { GATEWAY } from './config.js';
import { sqlGatewaySpec } from './flink.js';

/** The SQL gateway: 300 MiB that are needed for seconds, so it runs only while SQL is submitted. */
export interface SqlGateway {
  isRunning(): Promise<boolean>;
  /** Starts it and gives its address once it answers. */
  start(signal: AbortSignal, waitingFor: (what: string) => void): Promise<string>;
  /** Resolves when nothing of it is left, also when it did not run. */
  stop(): Promise<void>;
}

export function sqlGateway(stack: StackContext): SqlGateway {
  return {
    isRunning: async () => (await processState(stack.workspace, GATEWAY)).state === 'running',
    async start(signal, waitingFor) {
      const spec = await sqlGatewaySpec(stack, await installedPackages(stack));
      await startProcess(spec, { workspace: stack.workspace, ports: stack.ports, signal, waitingFor });
      return `http://127.0.0.1:${portOf(stack, 'flink-sql-gateway')}`;
    },
    stop: async () => {
      await stopProcess(stack.workspace, GATEWAY);
    },
  };
}
