import type { Config } from '../config/schema.js';
import type { Credentials } from './credentials.js';
import type { Workspace } from './workspace.js';

export type RuntimeName = 'process' | 'k3d' | 'kubernetes';
export type EngineName = 'flink' | 'risingwave';
export type CatalogName = 'polaris' | 'iceberg-rest';

/** A component's address as seen from this machine, and as seen by the other servers (they differ on Kubernetes). */
export interface Endpoint {
  host: string;
  port: number;
  url: string;
  inside: { host: string; port: number; url: string };
}

/** What a person chose, resolved: no `auto` is left in it. */
export interface Selection {
  stack: string;
  runtime: RuntimeName;
  engine: EngineName;
  catalog: CatalogName;
}

/** What a person allows or forbids for one run of `up`. */
export interface Orders {
  /** A cluster that cannot be changed may be made anew; the data of its servers stays. */
  recreate?: boolean;
  /** No image may be pulled. */
  offline?: boolean;
  /** What does not answer within a few seconds does not answer: `doctor` looks, and does not wait for the end of a long pause. */
  glance?: boolean;
}

/** Everything that modules, components, engines and runtimes may know of the stack at hand; read-only data. */
export interface StackContext extends Selection {
  /** The context of the kubeconfig that was named, with the runtime kubernetes: forge uses no other. */
  context?: string;
  workspace: Workspace;
  config: Config;
  /** Addresses by name: `kafka`, `localstack`, `postgresql`, `catalog`, and `flink` or `risingwave`. */
  endpoints: Record<string, Endpoint>;
  /** Every port of the stack by port name (`kafka`, `kafka-controller`, `flink-rpc`, …). */
  ports: Record<string, number>;
  /** Image references by name (images.yaml), with what the configuration puts in their place. */
  images: Record<string, string>;
  credentials: Credentials;
  /** What this one run was told beside the settings. */
  orders?: Orders;
  /** The shared cache of server packages, the same for all workspaces. */
  cacheDir: string;
  /** Folder that holds forge's own playbooks/, templates/ and packages.yaml. */
  packageRoot: string;
}

/** Whether the servers are pods. */
export const isOnKubernetes = ({ runtime }: Pick<Selection, 'runtime'>): boolean => runtime !== 'process';

/** What clients name as the warehouse: Polaris takes the catalog's name, the Iceberg REST catalog a location. */
export const warehouseOf = ({ catalog, config }: Pick<StackContext, 'catalog' | 'config'>): string =>
  catalog === 'polaris' ? config.lake.catalog : `s3://${config.lake.bucket}/warehouse`;
