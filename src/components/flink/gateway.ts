import { waitUntil } from '../../clients/wait.js';
import { probeOnce } from '../../runtimes/probe.js';
import { awaitProcess, startProcess } from '../../runtimes/process/spawn.js';
import { processState } from '../../runtimes/process/state.js';
import { stopProcess } from '../../runtimes/process/stop.js';
import { isOnKubernetes, type StackContext } from '../../workspace/context.js';
import { portOf } from '../component.js';
import { installedPackages } from '../packages.js';
import { GATEWAY } from './config.js';
import { sqlGatewaySpec } from './flink.js';
import { gatewayProbe } from './probe.js';

/** The SQL gateway: 300 MiB that are needed for seconds, so as a process it runs only while SQL is submitted. */
export interface SqlGateway {
  /** Whether it runs and should not, when no SQL is being submitted. */
  isRunning(): Promise<boolean>;
  /** Stops one that an earlier forge left behind: what that one had asked for it may still be submitting. */
  stopLeftOver(): Promise<void>;
  /** Starts it and gives its address once it answers. */
  start(signal: AbortSignal, waitingFor: (what: string) => void): Promise<string>;
  /** Resolves when nothing of it is left, also when it did not run. */
  stop(): Promise<void>;
}

export function sqlGateway(stack: StackContext): SqlGateway {
  if (isOnKubernetes(stack)) return gatewayPod(stack);
  const address = addressOf(stack);
  const stop = async (): Promise<void> => void (await stopProcess(stack.workspace, GATEWAY));
  return {
    isRunning: async () => (await processState(stack.workspace, GATEWAY)).state === 'running',
    async stopLeftOver() {
      const { state, startedAt } = await processState(stack.workspace, GATEWAY);
      if (state === 'running' && startedAt !== undefined && Date.parse(startedAt) < OWN_START) await stop();
    },
    async start(signal, waitingFor) {
      const spec = await sqlGatewaySpec(stack, await installedPackages(stack));
      const context = { workspace: stack.workspace, ports: stack.ports, signal, waitingFor };
      const { state, fingerprint } = await processState(stack.workspace, GATEWAY);
      // It was launched beside the JobManager.
      await (state === 'running' && fingerprint === spec.fingerprint ? awaitProcess(spec, context) : startProcess(spec, context));
      return address;
    },
    stop,
  };
}

/** When this forge was started: what was launched before is somebody else's. */
const OWN_START = Date.now() - performance.now();

const addressOf = (stack: StackContext): string => `http://127.0.0.1:${portOf(stack, 'flink-sql-gateway')}`;

/** On Kubernetes it is a Deployment of its own, which is always there. */
function gatewayPod(stack: StackContext): SqlGateway {
  return {
    isRunning: () => Promise.resolve(false),
    stopLeftOver: () => Promise.resolve(),
    async start(signal, waitingFor) {
      const probe = gatewayProbe(stack);
      waitingFor(probe.description);
      await waitUntil(async () => (await probeOnce(probe, signal)).holds, { what: probe.description, signal });
      return addressOf(stack);
    },
    stop: () => Promise.resolve(),
  };
}
