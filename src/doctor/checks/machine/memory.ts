import type { ComponentState } from '../../../components/status.js';
import { mebibytes } from '../../../components/size.js';
import type { StackContext } from '../../../workspace/context.js';
import type { Check, Trouble } from '../../check.js';
import { memoryFacts, type MemoryFacts } from './memory-facts.js';

const MIB = 1024 ** 2;
/** With less than this, servers that run already may be ended by the system at any moment. */
const NEARLY_NOTHING = 96 * MIB;

/** Memory for the servers that are still to be started, and a last reserve for those that run. */
export const memoryLow: Check = {
  id: 'memory-low',
  group: 'machine',
  title: 'There is memory for the servers',
  needs: ['docker-answers'],
  seconds: 15,
  concerns: ({ stack }) => process.platform === 'linux' && stack.runtime !== 'kubernetes',
  async look(place): Promise<Trouble[]> {
    const facts = memoryFacts();
    if (facts === undefined) throw new Error('/proc/meminfo does not tell what is left');
    return memoryTroubles(facts, place.stack, await place.states());
  },
};

/** What the available memory means for servers in these states. */
export function memoryTroubles(facts: MemoryFacts, stack: Pick<StackContext, 'config' | 'runtime'>, states: ComponentState[]): Trouble[] {
  const absent = states.filter(({ state }) => state === 'dead' || state === 'stopped');
  const needed = absent.reduce((sum, { name }) => sum + need(name, stack), 0) * MIB;
  const seen = `${text(facts.availableBytes)} are left of ${facts.limitedBy}`;
  const remedy = 'End other programs, raise the limit, or make the heaps smaller (components in forge.yaml)';
  if (needed > 0 && facts.availableBytes < needed)
    return [
      {
        // With half of it most servers come up, and then get slow; with less some are killed.
        severity: facts.availableBytes < needed / 2 ? 'error' : 'warning',
        title: 'There is too little memory for the servers that do not run',
        cause: `${seen}; ${absent.map(({ name }) => name).join(', ')} need about ${text(needed)}`,
        remedy,
      },
    ];
  if (facts.availableBytes < NEARLY_NOTHING)
    return [
      { severity: 'warning', title: 'Memory is nearly used up', cause: `${seen}; the system may end a server at any moment`, remedy },
    ];
  return [];
}

/** MiB that a server takes with the default load (docs/benchmarks.md), by its settings. */
function need(name: string, { config, runtime }: Pick<StackContext, 'config' | 'runtime'>): number {
  const { kafka, postgresql, polaris, flink, risingwave, ...others } = config.components;
  switch (name) {
    case 'kafka':
      return mebibytes(kafka.heap);
    case 'localstack':
      return 200;
    case 'postgresql':
      return mebibytes(postgresql.sharedBuffers) + 40;
    case 'polaris':
      return mebibytes(polaris.heap) + 100;
    case 'iceberg-rest':
      return mebibytes(others['iceberg-rest'].heap);
    case 'flink':
      return mebibytes(flink.jobmanagerHeap) + mebibytes(flink.taskmanagerHeap) + mebibytes(flink.gatewayHeap);
    case 'risingwave':
      return runtime === 'k3d' ? mebibytes(risingwave.memory) : 0;
    default:
      return 0;
  }
}

const text = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;
