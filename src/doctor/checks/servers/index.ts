import type { Check } from '../../check.js';
import { clusterReachable } from './cluster-reachable.js';
import { podRestarted } from './pod-restarted.js';
import { serverListens } from './server-listens.js';
import { serverLog } from './server-log.js';
import { serverMemory } from './server-memory.js';
import { serverSettings } from './server-settings.js';
import { podFailed, serverDown, serverHung } from './unwell.js';

export const serverChecks: readonly Check[] = [
  clusterReachable,
  podFailed,
  serverDown,
  serverListens,
  // A Service that was deleted is why a server does not answer.
  serverSettings,
  serverHung,
  podRestarted,
  serverMemory,
  serverLog,
];
