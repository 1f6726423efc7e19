import type { ComponentState } from '../components/status.js';
import type { ForgeError } from '../errors.js';
import type { Difference } from '../modules/contract.js';
import type { StackContext } from '../workspace/context.js';
import type { Workspace } from '../workspace/workspace.js';
import type { Pipeline } from './pipeline.js';

/** From the ground up: what is wrong in one group explains what is wrong in later ones. */
export const GROUPS = ['machine', 'workspace', 'servers', 'kafka', 's3', 'postgresql', 'catalog', 'engine', 'tables', 'pipeline'] as const;
export type Group = (typeof GROUPS)[number];

/** `error`: something does not work; `warning`: it works, and soon may not, or not as one would expect. */
export type Severity = 'error' | 'warning';

/** What `--fix` does about a finding. It must be safe: nothing is lost, and nobody else's is touched. */
export interface Fix {
  /** For the question and the report: `restarts kafka`. */
  does: string;
  /** What `forge up` alone would not do. Runs under the workspace's lock. */
  run?: (signal: AbortSignal) => Promise<void>;
  /** Whether `forge up` follows; it runs once for all findings. */
  up?: boolean;
}

/** The fix of whatever `forge up` mends. */
export const UP: Fix = { does: 'runs `forge up`', up: true };

/** One thing that a check found wrong. */
export interface Trouble {
  /** The server that it is about. */
  component?: string;
  /** Where it is another one than the check's. */
  severity?: Severity;
  /** What is wrong, in one line: `Kafka does not answer`. */
  title: string;
  /** What was seen, and what is the reason as far as that can be told. */
  cause: string;
  /** What to do, as a command where there is one. */
  remedy: string;
  /** Only where it is safe. */
  fix?: Fix;
}

/** What checks of the machine and of the workspace know: they run whatever state the stack is in. */
export interface Place {
  workspace: Workspace;
  cacheDir: string;
  packageRoot: string;
  /** Why the playbooks of the stack that is asked for cannot be used; left out when they can. */
  refused?: ForgeError;
  /** Aborted by Ctrl-C and by the check's own deadline. */
  signal: AbortSignal;
  /**
   * Looks once for all checks that ask under the same key. The signal that `make` gets is that of the whole run, so that the
   * deadline of one check spoils nothing for the others.
   */
  share<T>(key: string, make: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** A task of the playbooks as `forge up --check` sees it. */
export interface TaskFacts {
  id: string;
  module: string;
  /** `unknown`: it could not be seen, and `message` says why. */
  state: 'ok' | 'missing' | 'drifted' | 'unknown';
  message: string;
  diff: Difference[];
}

/** What all other checks know: the settings are fine, and the endpoints can be reached as far as anybody serves there. */
export interface StackPlace extends Place {
  stack: StackContext;
  /** Whether `forge up` was ever run here. */
  isKnown: boolean;
  pipeline: Pipeline;
  /** Whether this machine, or the cluster, has what it takes; throws what `forge up` would refuse to begin for. */
  require(): Promise<void>;
  /** Every component as it really is; the same as `forge status`, but for its memory. */
  states(): Promise<ComponentState[]>;
  /** Every task that takes part, observed and not changed. */
  tasks(): Promise<TaskFacts[]>;
}

/** A check, and the finding of the same id (docs/troubleshooting.md has a section of that name). */
export interface Check<P extends Place = StackPlace> {
  /** Stable; lower case with hyphens, begins with what it is about: `kafka-round-trip`. */
  id: string;
  group: Group;
  /** What holds when it passes: `Kafka takes a record and gives it back`. */
  title: string;
  /** Of what it finds, unless a finding says otherwise; `error` when left out. */
  severity?: Severity;
  /** Checks that have to pass before this one can tell anything. */
  needs?: readonly string[];
  /** Checks that tell better what this one would find. Where they cannot tell, it looks all the same. */
  unless?: readonly string[];
  /** Whether it is about this stack at all; one that is not is not mentioned. */
  concerns?(place: P): boolean;
  /** Deadline; 5 when left out. */
  seconds?: number;
  /** Nothing when all is well. A throw means that it could not be told, never that it passed. */
  look(place: P): Promise<Trouble[]>;
}

/** Thrown by a check that finds itself behind what another check tells of: that one is the root, and is told with it. */
export class Behind extends Error {
  constructor(
    readonly id: string,
    message: string,
  ) {
    super(message);
  }
}
