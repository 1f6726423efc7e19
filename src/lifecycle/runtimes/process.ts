import { sqlGateway } from '../../components/flink/gateway.js';
import { removeData } from '../../components/data.js';
import { componentsOf } from '../../components/index.js';
import { requirePolaris } from '../../components/polaris/distribution.js';
import { componentStates } from '../../components/status.js';
import { requirePackages, requireToolchain } from '../../runtimes/process/install/require.js';
import { rotateLog } from '../../runtimes/process/logs.js';
import { ownPorts } from '../../runtimes/process/ports.js';
import { listProcesses } from '../../runtimes/process/state.js';
import { stopProcess } from '../../runtimes/process/stop.js';
import type { ProcessState } from '../../runtimes/types.js';
import { usageError } from '../../errors.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { StackRuntime } from '../runtime.js';

/** Servers as plain processes of this machine. */
export const processRuntime: StackRuntime = {
  async require(stack) {
    if (stack.engine === 'risingwave')
      throw usageError({
        code: 'ENGINE_NOT_HERE',
        message: 'RisingWave runs on Kubernetes only: it cannot be had as a plain process',
        hint: 'Use --engine flink, or --runtime k3d',
      });
    await requirePackages(stack);
    if (stack.catalog === 'polaris') await requirePolaris(stack);
    await requireToolchain(stack);
  },

  ownPorts,

  /** Servers of the other catalog would hold the ports of this one. */
  async withdraw(stack, signal) {
    const wanted = new Set(componentsOf(stack).map(({ name }) => name));
    const processes = await running(stack.workspace);
    const unwanted = processes.filter(({ component }) => !wanted.has(component));
    await Promise.all(unwanted.map(({ name }) => stopProcess(stack.workspace, name, signal)));
    // Servers that do not rotate their log and run for weeks would write it without limit.
    await Promise.all(processes.map(({ name }) => rotateLog(stack.workspace, name)));
  },

  async settle(stack) {
    const gateway = sqlGateway(stack);
    // It was launched in good time for a job whose turn may not have come.
    if (await gateway.isRunning()) await gateway.stop();
  },

  withAccess: (_stack, _signal, use) => use(),
  states: componentStates,

  async down(workspace, { keepData, signal, note }) {
    const found = await running(workspace);
    for (const group of inStoppingOrder(found)) {
      await Promise.all(
        group.map(async ({ name }) => {
          note(`Stopping ${name}`);
          await stopProcess(workspace, name, signal);
        }),
      );
    }
    if (!keepData) await removeData({ workspace });
    return found.map(({ name }) => name).sort();
  },
};

const running = async (workspace: Workspace): Promise<ProcessState[]> =>
  (await listProcesses(workspace)).filter(({ state }) => state === 'running');

/** The engine first, then what it writes to, then what that stands on. */
function inStoppingOrder(processes: ProcessState[]): ProcessState[][] {
  const last = ['postgresql', 'localstack', 'kafka'];
  const middle = ['polaris', 'iceberg-rest'];
  const of = (names: string[]): ProcessState[] => processes.filter(({ component }) => names.includes(component));
  const first = processes.filter(({ component }) => ![...last, ...middle].includes(component));
  return [first, of(middle), of(last)].filter((group) => group.length > 0);
}
