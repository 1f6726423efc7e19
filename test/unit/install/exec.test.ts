import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { run, tryRun } from '../../../src/clients/exec.js';
import { Secret } from '../../../src/workspace/secret.js';
import { scratch } from '../../helpers/folders.js';
import { gone, killForge, pidIn, source } from './killed.js';

const sh = (script: string): [string, string[]] => ['sh', ['-c', script]];
describe('run', () => {
  test('gives both outputs, the exit code and every line as it comes', async () => {
    const lines: string[] = [];
    const result = await run(...sh('echo one; echo two >&2; cat; printf end'), { input: 'in\n', onLine: (line) => lines.push(line) });
    expect(result).toMatchObject({ stdout: 'one\nin\nend', stderr: 'two\n', exitCode: 0 });
    expect(lines.sort()).toEqual(['end', 'in', 'one', 'two']);
  });

  test('names the command, its exit code and its last lines, without the secrets', async () => {
    const secret = new Secret('hunter2hunter2');
    const failure = run(...sh('echo $PASSWORD is wrong >&2; exit 7'), { env: { ...process.env, PASSWORD: secret.reveal() } });
    await expect(failure).rejects.toMatchObject({ code: 'EXEC_FAILED', exitCode: 4 });
    await expect(failure).rejects.toThrow(/exit code 7:\n\*\*\* is wrong/);
    expect(await tryRun(...sh('exit 7'))).toMatchObject({ exitCode: 7 });
  });

  test('says clearly that a program is not there, and that a working directory is not', async () => {
    await expect(run('no-such-program', [])).rejects.toMatchObject({ code: 'COMMAND_MISSING', exitCode: 3 });
    await expect(run('no-such-program', [])).rejects.toThrow('There is no program no-such-program on this machine');
    await expect(run('sh', ['-c', 'true'], { cwd: '/no/such/folder' })).rejects.toThrow(/no\/such\/folder/);
  });

  test('ends the children of the command as well when it is aborted', async () => {
    const file = path.join(scratch(), 'pid');
    const abort = new AbortController();
    const running = run(...sh(`(trap '' TERM; sh -c 'echo $$ > ${file}; exec sleep 300') & wait`), { signal: abort.signal });
    running.catch(() => undefined);
    const pid = await pidIn(file);
    abort.abort(new Error('stopped by the user'));
    await expect(running).rejects.toThrow('stopped by the user');
    expect(await gone(pid)).toBe(true);
  });

  test('stops what takes too long and says how long it was given', async () => {
    await expect(run('sleep', ['300'], { timeoutSeconds: 0.2 })).rejects.toMatchObject({ code: 'COMMAND_TIMED_OUT' });
  });

  test('a tied command passes its exit code on, and leaves nothing behind', async () => {
    expect(await tryRun(...sh('echo hi; exit 9'), { tied: true })).toMatchObject({ exitCode: 9, stdout: 'hi\n' });
  });

  test('a tied command dies with a forge that is killed', async () => {
    const dir = scratch();
    const file = path.join(dir, 'pid');
    const script = `import { run } from ${source('clients/exec.ts')};
       await run('sh', ['-c', 'echo $$ > ${file}; sleep 300; true'], { tied: true });`;
    expect(await gone(await killForge(dir, script, file))).toBe(true);
  });

  test('a tied command reads a file as its input, and nothing without one', async () => {
    const inputFile = path.join(scratch(), 'input');
    writeFileSync(inputFile, 'from a file');
    expect(await run('cat', [], { tied: true, inputFile })).toMatchObject({ stdout: 'from a file' });
    expect(await run('cat', [], { tied: true })).toMatchObject({ stdout: '' });
    await expect(run('cat', [], { tied: true, inputFile: '/no/such/file' })).rejects.toThrow(/no\/such\/file/);
  });
});
