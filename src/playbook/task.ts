import type { Selection } from '../workspace/context.js';

/** Which selections a task is for; a key that is left out does not matter. */
export type When = Partial<Record<keyof Selection, string[]>>;

/** One desired state, as a playbook declares it. */
export interface Task {
  /** Unique in the stack. */
  id: string;
  module: string;
  /** Title of the play that it belongs to. */
  play: string;
  /** Ids of the tasks that must have ended well before this one is looked at. */
  needs: string[];
  when: When;
  /** Seconds that it may take; the module's own limit when left out. */
  timeoutSeconds?: number;
  /** The module's arguments, templates not yet rendered. */
  with: Record<string, unknown>;
  /** Where it (or an argument of it, by path) is written: `playbooks/x/servers.yaml:12:5`. */
  at: (path?: readonly PropertyKey[]) => string;
}

/** A stack as its playbooks declare it. */
export interface Stack {
  name: string;
  title: string;
  description: string;
  /** In the order of the playbooks. */
  tasks: Task[];
}

/** Whether the task is for this selection. */
export function holds(when: When, selection: Selection): boolean {
  return Object.entries(when).every(([key, values]) => values.includes(selection[key as keyof Selection]));
}

/** `catalog is polaris or iceberg-rest`, for the people who ask why a task was skipped. */
export function describeWhen(when: When): string {
  return Object.entries(when)
    .map(([key, values]) => `${key} is ${values.join(' or ')}`)
    .join(' and ');
}
