import type { Config } from '../config/schema.js';
import type { Credentials } from './credentials.js';
import type { Workspace } from './workspace.js';

export type RuntimeName = 'process';
export type EngineName = 'flink';
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

/** Everything that modules, components, engines and runtimes may know of the stack at hand; read-only data. */
export interface StackContext extends Selection {
  workspace: Workspace;
  config: Config;
  /** Public endpoints by component name (`kafka`, `localstack`, `postgresql`, `catalog`, `flink`). */
  endpoints: Record<string, Endpoint>;
  /** Every port of the stack by port name (`kafka`, `kafka-controller`, `flink-rpc`, …). */
  ports: Record<string, number>;
  credentials: Credentials;
  /** The shared cache of server packages, the same for all workspaces. */
  cacheDir: string;
  /** Folder that holds forge's own playbooks/, templates/ and packages.yaml. */
  packageRoot: string;
}

/** What clients name as the warehouse: Polaris takes the catalog's name, the Iceberg REST catalog a location. */
export const warehouseOf = ({ catalog, config }: Pick<StackContext, 'catalog' | 'config'>): string =>
  catalog === 'polaris' ? config.lake.catalog : `s3://${config.lake.bucket}/warehouse`;
