import type { StackContext } from '../../workspace/context.js';
import type { PodValues } from '../component.js';
import { mebibytes, quantity } from '../size.js';

/** The set of packages.yaml with what the plain image of Flink lacks. */
export const CONNECTORS = 'flink-connectors';

/** MiB beside the heap: the parts of Flink's memory model, which templates name too, and what the JVM takes of its own. */
const POD_MEMORY = {
  jobmanager: { offHeap: 64, metaspace: 192, overhead: 64 },
  taskmanager: { frameworkHeap: 64, frameworkOffHeap: 64, network: 32, managed: 64, metaspace: 192, overhead: 64 },
  gateway: { metaspace: 256, overhead: 96 },
} as const;

const sum = (parts: Record<string, number>): number => Object.values(parts).reduce((total, part) => total + part, 0);

/** What Flink's manifest is told. The connectors come from forge's cache, or are fetched by their coordinates. */
export async function flinkValues({ packageRoot, config }: StackContext): Promise<PodValues> {
  const { loadPackages, pickSets } = await import('../../runtimes/process/install/definition.js');
  const packages = await loadPackages(packageRoot);
  const [set] = pickSets(packages, [CONNECTORS]);
  const definition = set?.definition;
  if (set === undefined || definition?.kind !== 'maven') throw new Error(`packages.yaml has no set ${CONNECTORS} of Maven artifacts`);
  const { jobmanagerHeap, taskmanagerHeap, gatewayHeap } = config.components.flink;
  const limits = (heap: string, parts: Record<string, number>) => ({
    request: quantity(heap, 128),
    /** All of Flink's memory model; the JVM may take a little more. */
    process: `${mebibytes(heap) + sum(parts)}m`,
    limit: quantity(heap, sum(parts) + 64),
  });
  return {
    memory: POD_MEMORY,
    jobmanager: limits(jobmanagerHeap, POD_MEMORY.jobmanager),
    taskmanager: limits(taskmanagerHeap, POD_MEMORY.taskmanager),
    gateway: limits(gatewayHeap, POD_MEMORY.gateway),
    // The image has a SQL gateway of its own.
    connectors: {
      folder: set.id,
      artifacts: definition.artifacts.filter((coordinates) => !coordinates.includes('sql-gateway')),
      plugin: packages.mavenDependencyPlugin,
    },
  };
}
