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
    const [state, ...started] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8', env: PLAIN })
      .trim()
      .split(/\s+/);
    return state === undefined || state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}

/** So that `ps` prints one and the same time in every terminal. */
const PLAIN = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };

/** Whether exactly this process is still there. */
export const isAlive = ({ pid, startTime }: ProcessIdentity): boolean => {
  const started = processStartTime(pid);
  return started === undefined ? isHidden(pid) : started === startTime;
};

/** Systems may hide the processes of other users (/proc with hidepid); such a one is there as far as anybody can tell. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Changes with every boot: what ran before is gone whatever its number. */
export function bootId(): string {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
