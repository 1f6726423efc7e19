import { readText } from '../../../workspace/read-text.js';

/** The state letter of a process (proc(5)): T stopped by a signal, t held by a debugger. */
function stateOf(pid: number): string {
  const stat = readText(`/proc/${pid}/stat`) ?? '';
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

/** Those of these processes that are suspended; on Linux only, elsewhere they are found by their silence. */
export const frozenAmong = (pids: readonly number[]): number[] => pids.filter((pid) => /^[Tt]$/.test(stateOf(pid)));

/** Has those of them go on that are suspended. */
export function letGoOn(pids: readonly number[]): void {
  for (const pid of frozenAmong(pids))
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It has gone.
    }
}
