import { spawn } from 'node:child_process';

export interface PtyStep {
  /** What has to be on the screen, after what the step before waited for. */
  after: string;
  /** Typed then: `\x03` is Ctrl-C, `\x04` Ctrl-D. */
  send: string;
}

export interface PtyRan {
  /** 128 and the signal's number for one that a signal ended, as a shell tells it. */
  code: number;
  /** All that reached the terminal, escape sequences included. */
  screen: string;
}

/**
 * Runs a Node script on a terminal of its own, with somebody who types. Python makes the terminal: Node has none, and the
 * arguments of `script` differ from system to system.
 */
export function runOnTerminal(script: string, argv: string[], steps: PtyStep[], env: Record<string, string> = {}): Promise<PtyRan> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', ['-c', PYTHON, JSON.stringify(steps), process.execPath, script, ...argv], {
      env: { ...process.env, NODE_ENV: 'production', NO_COLOR: '1', TERM: 'xterm', CI: '', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let screen = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, screen }));
  });
}

const PYTHON = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
seen, deadline = b'', time.monotonic() + 45
while True:
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    if not ready:
        os.kill(pid, signal.SIGKILL)
        break
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if data == b'':
        break
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    seen += data
    while steps and steps[0]['after'].encode() in seen:
        step = steps.pop(0)
        seen = seen.split(step['after'].encode(), 1)[1]
        os.write(terminal, step['send'].encode())
_, status = os.waitpid(pid, 0)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
`;
