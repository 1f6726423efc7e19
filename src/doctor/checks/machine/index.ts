import type { Check, Place } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { afterUp } from '../after-up.js';
import { clockSkew } from './clock.js';
import { diskSpace } from './disk.js';
import { dockerAnswers } from './docker.js';
import { inotifyLimits, openFiles } from './limits.js';
import { memoryLow } from './memory.js';
import { portTaken } from './ports.js';
import { proxyLoopback } from './proxy.js';
import { toolchainMissing } from './toolchain.js';
import { upRefused } from './up-refused.js';

export const machineChecks: readonly Check<Place>[] = [diskSpace, proxyLoopback];

export const machineChecksOfStack: readonly Check[] = [
  dockerAnswers,
  toolchainMissing,
  memoryLow,
  openFiles,
  inotifyLimits,
  portTaken,
  upRefused,
  afterUp(
    driftCheck({
      id: 'packages-missing',
      group: 'machine',
      title: 'The packages or images of the servers are installed',
      modules: ['packages', 'k3d.image'],
      needs: ['docker-answers', 'toolchain-missing'],
      wrong: () => 'Packages or images of the servers are missing',
    }),
  ),
];

/** What only a server that runs can tell. */
export const machineChecksOfServers: readonly Check[] = [clockSkew];
