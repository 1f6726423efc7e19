import { listProcesses } from '../../../runtimes/process/state.js';
import type { ProcessState } from '../../../runtimes/types.js';
import type { Place } from '../../check.js';

/** The processes of this workspace, looked for once for all checks. */
export const ownProcesses = (place: Pick<Place, 'workspace' | 'share'>): Promise<ProcessState[]> =>
  place.share('own processes', () => listProcesses(place.workspace));
