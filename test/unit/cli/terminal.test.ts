import { describe, expect, it } from 'vitest';
import { runOnTerminal } from '../../helpers/pty.js';
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
