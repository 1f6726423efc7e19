import type { Difference } from '../modules/contract.js';
import { redact } from '../workspace/secret.js';
import type { OnEvent, TaskEvent, TaskResult, TaskState, TaskStatus } from './events.js';
import type { Task } from './task.js';

type Details = Pick<TaskEvent, 'message' | 'diff' | 'progress'>;

/** Tells the events of one task; nothing that it passes on holds a secret. */
export interface Reporter {
  state: (state: TaskState) => void;
  now: () => TaskState;
  progress: (text: string) => void;
  /** The final event, and the same as a result. Whatever is told after it is dropped. */
  end: (status: TaskStatus, details?: Details & Pick<TaskResult, 'error' | 'behind'>) => TaskResult;
}

export function reporterFor(task: Task, onEvent: OnEvent): Reporter {
  const { id, module, play } = task;
  let now: TaskState = 'waiting';
  let begun: number | undefined;
  let ended = false;
  const tell = (more: Partial<TaskEvent>): void => {
    if (!ended) onEvent({ type: 'task', id, module, play, state: now, ...more });
  };
  return {
    state: (state) => {
      begun ??= state === 'waiting' ? undefined : performance.now();
      now = state;
      tell({});
    },
    now: () => now,
    progress: (text) => tell({ progress: redact(text) }),
    end: (status, { error, behind, message, diff } = {}) => {
      now = status;
      const seconds = begun === undefined ? 0 : Math.round(performance.now() - begun) / 1000;
      const told = {
        ...(message === undefined ? {} : { message: redact(message) }),
        ...(diff === undefined ? {} : { diff: masked(diff) }),
      };
      tell({ seconds, ...told });
      ended = true;
      return {
        id,
        module,
        play,
        status,
        seconds,
        ...told,
        ...(behind === undefined ? {} : { behind }),
        ...(error === undefined ? {} : { error }),
      };
    },
  };
}

function masked(diff: Difference[]): Difference[] {
  return diff.map(({ field, is, should }) => ({ field, is: redact(is), should: redact(should) }));
}
