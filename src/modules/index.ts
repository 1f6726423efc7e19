import type { TaskModule } from './contract.js';
import { health } from './health.js';
import { processModule } from './process.js';
import { packages } from './packages.js';
import { template } from './template.js';
import { secret } from './secret.js';
import { keyPair } from './key-pair.js';
import { flinkJob } from './flink-job.js';
import { file } from './file.js';
import { directory } from './directory.js';
import { catalogWarehouse } from './iceberg-warehouse.js';
import { icebergNamespace } from './iceberg-namespace.js';
import { icebergTable } from './iceberg-table.js';
import { polarisCatalog } from './polaris-catalog.js';
import { polarisCatalogRole } from './polaris-catalog-role.js';
import { polarisCatalogRoleAssignment } from './polaris-catalog-role-assignment.js';
import { polarisGrant } from './polaris-grant.js';
import { polarisPrincipal } from './polaris-principal.js';
import { polarisPrincipalRole } from './polaris-principal-role.js';
import { polarisPrincipalRoleAssignment } from './polaris-principal-role-assignment.js';
import { polarisRealm } from './polaris-realm.js';
import { kafkaTopic } from './kafka-topic.js';
import { k8sApply } from './k8s-apply.js';
import { k8sReady } from './k8s-ready.js';
import { postgresqlDatabase } from './postgresql-database.js';
import { postgresqlRole } from './postgresql-role.js';
import { risingwaveSink } from './risingwave-sink.js';
import { risingwaveSource } from './risingwave-source.js';
import { risingwaveView } from './risingwave-view.js';
import { s3Bucket } from './s3-bucket.js';
import { sqlView } from './sql-view.js';
import { k3dCluster } from './k3d-cluster.js';
import { k3dImage } from './k3d-image.js';

/** Every kind of task, one line each; each has a case of the contract test (test/integration/contract). */
const all: TaskModule[] = [
  health,
  processModule,
  packages,
  flinkJob,
  template,
  secret,
  keyPair,
  file,
  directory,
  kafkaTopic,
  postgresqlDatabase,
  postgresqlRole,
  s3Bucket,
  sqlView,
  k3dCluster,
  k3dImage,
  k8sApply,
  k8sReady,
  risingwaveSource,
  risingwaveView,
  risingwaveSink,
  catalogWarehouse,
  icebergNamespace,
  icebergTable,
  polarisCatalog,
  polarisCatalogRole,
  polarisCatalogRoleAssignment,
  polarisGrant,
  polarisPrincipal,
  polarisPrincipalRole,
  polarisPrincipalRoleAssignment,
  polarisRealm,
];

/** The registry, by the name that playbooks use. The modules load heavy libraries only when they are used. */
export const modules: Map<string, TaskModule> = new Map(all.map((module) => [module.name, module]));
