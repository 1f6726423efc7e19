import type { Secret } from '../workspace/secret.js';

/** How to see that a server answers: all of them must hold. */
export interface Probe {
  /** Plain words for a time-out: `Kafka answers on 127.0.0.1:19094`. */
  description: string;
  check(signal: AbortSignal): Promise<boolean>;
}

/** One operating-system process of a component, as the process runtime starts it. */
export interface ProcessSpec {
  component: string;
  /** Unique in a stack and the name of its log: `kafka`, `flink-jobmanager`. */
  name: string;
  command: string;
  args: string[];
  /** Added to a minimal environment (PATH, HOME, LANG, TZ); secrets are revealed at the spawn only. */
  env: Record<string, string | Secret>;
  cwd: string;
  /** Ports that it listens on, by port name. */
  ports: string[];
  ready: Probe;
  /** Seconds until `ready` must hold. */
  readySeconds: number;
  /** Signal that stops it cleanly, and seconds until SIGKILL. */
  stop: { signal: 'SIGTERM' | 'SIGINT'; seconds: number };
  /** A change of this text means that a running server has to be restarted (settings, versions; never a secret). */
  fingerprint: string;
  /** Run as this unprivileged user when forge itself is root. */
  user?: { uid: number; gid: number };
}

export interface ProcessState {
  name: string;
  component: string;
  state: 'running' | 'stopped' | 'dead' | 'foreign';
  pid?: number;
  /** Process and its descendants. */
  pids: number[];
  /** Only where it was asked for: it is slow to add up. */
  residentBytes?: number;
  startedAt?: string;
  fingerprint?: string;
  reason?: string;
}
