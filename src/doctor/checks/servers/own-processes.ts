import { listProcesses } from '../../../runtimes/process/state.js';
import type { ProcessState } from '../../../runtimes/types.js';
import type { StackPlace } from '../../check.js';

/** The processes of this workspace, looked for once for all checks. */
export const ownProcesses = (place: StackPlace): Promise<ProcessState[]> =>
  place.share('own processes', () => listProcesses(place.stack.workspace));
