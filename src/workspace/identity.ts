import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process, known again after its number was given to another one. */
export interface ProcessIdentity {
  pid: number;
  startTime: string;
}

/** When a process started (Linux: field 22 of /proc/PID/stat, in clock ticks since boot; else what `ps` prints); undefined for none, and for a zombie. */
export function processStartTime(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in parentheses may hold anything, spaces and parentheses included.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    return state === undefined || state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}

/** Whether exactly this process is still there. */
export const isAlive = ({ pid, startTime }: ProcessIdentity): boolean => processStartTime(pid) === startTime;

/** Changes with every boot: what ran before is gone whatever its number. */
export function bootId(): string {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
