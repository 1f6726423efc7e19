import { Listr, ListrLogger, ProcessOutput, Spinner, type ListrTask } from 'listr2';
import { holdTerminal } from './display.js';
import type { RunRenderer, RunRendererOptions } from './render.js';
import { isFinal } from './render.js';
import type { TaskEvent } from '../playbook/events.js';
import { redact } from '../workspace/secret.js';

/** One line of the display: a promise that the events settle. */
interface Line {
  event: TaskEvent;
  started: Promise<void>;
  start(): void;
  done: Promise<TaskEvent>;
  end(event: TaskEvent): void;
  show?: (event: TaskEvent) => void;
  say?: (text: string) => void;
}

/** The display on a terminal: plays with their tasks below, folded up once they are done. Signals are the base command's. */
export function listrRenderer({ signal, output }: RunRendererOptions): RunRenderer {
  const lines = new Map<string, Line>();
  const terminal = new Terminal();
  const spinner = new Spinner();
  let display: Promise<unknown> | undefined;
  const refresh = (): void => {
    for (const line of lines.values()) line.show?.(line.event);
  };
  signal?.addEventListener('abort', refresh, { once: true });

  const titleOf = ({ id, state, progress, message }: TaskEvent): string => {
    const detail = isFinal(state) ? (state === 'ok' ? '' : (message ?? '')) : signal?.aborted ? 'stopping …' : (progress ?? '');
    const text = redact(detail === '' ? id : `${id}: ${detail}`).split('\n')[0] ?? id;
    // Icon, indentation and one free column: a wrapped title makes the display jump.
    return text.slice(0, Math.max(20, output.columns - 6));
  };
  const taskOf = (line: Line): ListrTask => ({
    title: line.event.id,
    rendererOptions: { bottomBar: Infinity, persistentOutput: true },
    task: async (_context, task) => {
      line.show = (event) => (task.title = titleOf(event));
      line.say = (text) => (task.output = text);
      line.show(line.event);
      const event = await line.done;
      delete line.say;
      task.title = titleOf(event);
      if (event.state === 'skipped') task.skip(titleOf(event));
      if (event.state === 'failed') throw new Error(titleOf(event));
    },
  });
  const playOf = (title: string, members: Line[]): ListrTask => ({
    title,
    task: async (_context, task) => {
      // A play unfolds with its first task, so that a long list fits on the screen.
      await Promise.race(members.map((line) => line.started));
      return task.newListr(members.map(taskOf), { concurrent: true, exitOnError: false });
    },
  });
  const open = (): void => {
    const plays = new Map<string, Line[]>();
    for (const line of lines.values()) plays.set(line.event.play, [...(plays.get(line.event.play) ?? []), line]);
    const list = new Listr(
      [...plays].map(([title, members]) => playOf(title, members)),
      {
        concurrent: true,
        exitOnError: false,
        registerSignalListeners: false,
        rendererOptions: {
          logger: new ListrLogger({ useIcons: true, toStderr: [], processOutput: terminal }),
          spinner,
          collapseSubtasks: true,
          collapseErrors: true,
          collapseSkips: true,
          showErrorMessage: true,
          formatOutput: 'wrap',
        },
      },
    );
    display = list.run().catch(() => undefined);
    holdTerminal({ say, release });
  };
  const say = (text: string): boolean => {
    const running = [...lines.values()].find((line) => line.say !== undefined);
    running?.say?.(text);
    return running !== undefined;
  };
  const release = (): void => {
    spinner.stop();
    terminal.end();
  };

  return {
    onEvent: (event) => {
      if (terminal.ended) return;
      const line = lines.get(event.id);
      if (!line) return void lines.set(event.id, newLine(event));
      if (event.state === 'waiting') return;
      // What this selection has no use for is counted, and not shown. Such tasks end before the first one begins.
      if (!display && event.state === 'skipped') return void lines.delete(event.id);
      if (!display) open();
      line.event = event;
      line.start();
      line.show?.(event);
      if (isFinal(event.state)) line.end(event);
    },
    finish: async () => {
      signal?.removeEventListener('abort', refresh);
      if (terminal.ended) return;
      // After a run that threw some lines may still be open.
      for (const line of lines.values()) {
        line.start();
        line.end({ ...line.event, state: isFinal(line.event.state) ? line.event.state : 'skipped' });
      }
      await display;
      holdTerminal(undefined);
    },
  };
}

/** What keeps other writers off the screen, until it is ended for good. */
class Terminal extends ProcessOutput {
  ended = false;

  override hijack(): void {
    if (!this.ended) super.hijack();
  }

  end(): void {
    this.ended = true;
    this.release();
  }
}

function newLine(event: TaskEvent): Line {
  let start = (): void => undefined;
  let end = (_: TaskEvent): void => undefined;
  const started = new Promise<void>((resolve) => (start = resolve));
  const done = new Promise<TaskEvent>((resolve) => (end = resolve));
  return { event, started, start: () => start(), done, end: (last) => end(last) };
}
