import type { Check } from '../../check.js';
import { checkpointsFailing } from './checkpoints.js';
import { jobDrifts } from './job-drift.js';
import { jobRestarting } from './job-restarting.js';
import { engineLag } from './lag.js';
import { barriersStalled, risingwaveHealth, risingwaveObjects, sinkFailing } from './risingwave.js';
import { flinkSlots } from './slots.js';

export const engineChecks: readonly Check[] = [
  flinkSlots,
  ...jobDrifts,
  checkpointsFailing,
  jobRestarting,
  risingwaveObjects,
  risingwaveHealth,
  sinkFailing,
  barriersStalled,
  engineLag,
];
