import type { Check, Place } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { afterUp } from '../after-up.js';
import { credentialsDamaged } from './credentials.js';
import { variablesLeftOver } from './left-over.js';
import { lockStale } from './lock.js';
import { fileModes } from './modes.js';
import { configInvalid, variablesOverride } from './settings.js';
import { selectionChanged, stateDamaged } from './state.js';

export const workspaceChecks: readonly Check<Place>[] = [
  configInvalid,
  stateDamaged,
  fileModes,
  credentialsDamaged,
  lockStale,
  variablesOverride,
];

export const workspaceChecksOfStack: readonly Check[] = [
  selectionChanged,
  variablesLeftOver,
  afterUp(
    driftCheck({
      id: 'credentials-missing',
      group: 'workspace',
      title: 'Every credential of the stack is there',
      modules: ['secret', 'key-pair'],
      needs: ['file-modes', 'credentials-damaged'],
      wrong: () => 'Credentials of the stack are missing',
    }),
  ),
  afterUp(
    driftCheck({
      id: 'generated-files',
      group: 'workspace',
      title: 'Generated files are those of the templates',
      modules: ['file', 'directory', 'template'],
      needs: ['file-modes', 'credentials-missing'],
      wrong: () => 'Files that forge generates are not as it writes them',
    }),
  ),
];
