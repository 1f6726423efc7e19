import type { PortName } from '../config/schema.js';
import type { Selection } from './context.js';

/** Where a port of the stack is served on Kubernetes. */
export interface ServiceAddress {
  namespace: string;
  service: string;
  /** As the other pods reach it. */
  port: number;
  /** The service's port that this machine is led to; Kafka has a listener of its own for it. */
  hostPort: number;
  /** On the node of a k3d cluster, which maps it to the port on this machine. */
  nodePort: number;
}

const at = (namespace: string, service: string, port: number, nodePort: number, hostPort = port): ServiceAddress => ({
  namespace,
  service,
  port,
  hostPort,
  nodePort,
});

/** The ports that this machine reaches on Kubernetes, by port name; manifests and playbooks use the same numbers. */
export function servicesOf({ catalog, engine }: Pick<Selection, 'catalog' | 'engine'>): Partial<Record<PortName, ServiceAddress>> {
  return {
    kafka: at('kafka', 'kafka', 9092, 30094, 9094),
    localstack: at('localstack', 'localstack', 4566, 30566),
    postgresql: at('postgresql', 'postgresql', 5432, 30432),
    ...(catalog === 'polaris'
      ? { catalog: at('polaris', 'polaris', 8181, 30181), 'catalog-management': at('polaris', 'polaris', 8182, 30182) }
      : { catalog: at('iceberg-rest', 'iceberg-rest', 8181, 30181) }),
    ...(engine === 'risingwave'
      ? { risingwave: at('risingwave', 'risingwave', 4567, 30567) }
      : { flink: at('flink', 'flink-jobmanager', 8081, 30081), 'flink-sql-gateway': at('flink', 'flink-sql-gateway', 8083, 30083) }),
  };
}
