import type { Sandbox } from '../forge.js';

type Undo = () => unknown;

/** Something that goes wrong on a stack, and what `forge doctor` has to say about it first. */
export interface Fault<Box = Sandbox> {
  /** In words: `the broker is killed`. */
  name: string;
  /** For the runs of doctor: a variable that somebody left behind, another PATH. */
  env?: Record<string, string>;
  /** Breaks something; gives what takes it back, where `--fix` does not or must not. */
  inject?: (box: Box) => Promise<Undo | undefined> | Undo | undefined;
  /** The first finding. */
  finding: { id: string; component?: string; severity?: 'error' | 'warning'; cause: RegExp };
  /** `fix`: `forge doctor --fix` mends it; `undo`: the table takes it back, and `forge up` mends the rest. */
  mend: 'fix' | 'undo';
}
