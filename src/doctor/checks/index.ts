import type { Check, Place } from '../check.js';
import { engineChecks } from './engine/index.js';
import { catalogChecks } from './catalog/index.js';
import { kafkaChecks } from './kafka/index.js';
import { machineChecks, machineChecksOfServers, machineChecksOfStack } from './machine/index.js';
import { pipelineChecks } from './pipeline/index.js';
import { postgresqlChecks } from './postgresql/index.js';
import { s3Checks } from './s3/index.js';
import { serverChecks } from './servers/index.js';
import { tableChecks, tableFlowChecks } from './tables/index.js';
import { workspaceChecks, workspaceChecksOfStack } from './workspace/index.js';

/** Checks that run whatever state the stack is in, in the order of what causes what. */
export const placeChecks: readonly Check<Place>[] = [...machineChecks, ...workspaceChecks];

/** All others, in that order too. */
export const stackChecks: readonly Check[] = [
  ...machineChecksOfStack,
  ...workspaceChecksOfStack,
  ...serverChecks,
  ...machineChecksOfServers,
  ...kafkaChecks,
  ...s3Checks,
  ...postgresqlChecks,
  ...catalogChecks,
  // The engine fails without its tables and views, and so they come first; what it makes of them comes after it.
  ...tableChecks,
  ...engineChecks,
  ...tableFlowChecks,
  ...pipelineChecks,
];
