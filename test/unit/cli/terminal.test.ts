import { describe, expect, it } from 'vitest';
import { type PtyStep, runOnTerminal } from '../../helpers/pty.js';
import { fixtureBin } from './run.js';

// Each test starts processes, and other suites run beside it.
const slow = { timeout: 60_000 };
const CTRL_C = '\x03';
const CTRL_D = '\x04';

describe.concurrent('a question on a terminal', slow, () => {
  const answer = (send: string) => runOnTerminal(fixtureBin, ['topic', 'ask'], [{ after: '(y/N)', send }]);

  it.each([
    ['y\r', true],
    ['n\r', false],
    ['\r', false],
    [CTRL_D, false],
  ])('takes %j for %s', async (keys, answered) => {
    const { code, screen } = await answer(keys);
    expect({ code, screen }).toEqual({ code: 0, screen: expect.stringContaining(`answered: ${answered}`) as string });
  });

  it('Ctrl-C is an interruption, and no defect', async () => {
    const { code, screen } = await answer(CTRL_C);
    expect(code).toBe(130);
    expect(screen).toContain('Error: Interrupted by SIGINT');
    expect(screen).not.toContain('defect');
  });
});

describe.concurrent('a live display on a terminal', slow, () => {
  const SHOW_CURSOR = '\x1b[?25h';
  const NOTE = 'press Ctrl-C again to end at once';
  const interrupt = (then: string, ...more: PtyStep[]) =>
    runOnTerminal(fixtureBin, ['play', then], [{ after: 'kafka: is starting', send: CTRL_C }, ...more]);

  it('that a command leaves without an end gives the terminal back before its error is told', async () => {
    const { code, screen } = await interrupt('throw');
    expect(code).toBe(130);
    expect(screen).toMatch(/Error: Interrupted by SIGINT\r\nHint: .+\r\n/);
    expect(screen.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(screen.lastIndexOf('\x1b[?25l'));
  });

  it('does not hide what was thrown outside of the command', async () => {
    const { code, screen } = await interrupt('defect');
    expect(code).toBe(1);
    expect(screen).toContain('Error: x is not a function');
    expect(screen).toContain(SHOW_CURSOR);
  });

  it('says at once that a second Ctrl-C ends it, which leaves the cursor on', async () => {
    const { code, screen } = await interrupt('hang', { after: NOTE, send: CTRL_C });
    expect(code).toBe(130);
    expect(screen).toContain(SHOW_CURSOR);
  });
});
