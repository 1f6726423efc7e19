import { Interrupted } from './errors.js';

/**
 * A question for yes or no on the terminal. Ctrl-D says no: whoever closes the input wants nothing done.
 * @throws Interrupted on Ctrl-C, which reaches no signal handler while the prompt reads single keys
 */
export async function askYesNo(question: string, signal: AbortSignal): Promise<boolean> {
  const { confirm } = await import('@inquirer/prompts');
  const closed = new AbortController();
  const close = (): void => closed.abort();
  const onKey = (_: unknown, key: { ctrl?: boolean; name?: string }): void => {
    if (key.ctrl && key.name === 'd') close();
  };
  // The prompt itself would wait on for an answer that can no longer come.
  process.stdin.on('keypress', onKey).once('end', close);
  try {
    return await confirm(
      { message: question, default: false },
      { output: process.stderr, signal: AbortSignal.any([signal, closed.signal]) },
    );
  } catch (error) {
    if (closed.signal.aborted) return false;
    throw error instanceof Error && error.name === 'ExitPromptError' ? new Interrupted('SIGINT') : error;
  } finally {
    process.stdin.off('keypress', onKey).off('end', close);
  }
}
