import { describe, expect, it } from 'vitest';
import { type Ran, runFixture } from './run.js';

const documentOf = ({ stdout }: Ran): unknown => JSON.parse(stdout);

// Each test starts processes, and other suites run beside it.
const slow = { timeout: 60_000 };

describe.concurrent('errors', slow, () => {
  it('shows what happened and the next step on stderr, with the exit code of the error and no secret', async () => {
    const ran = await runFixture(['fail', 'server']);
    expect(ran).toEqual({ code: 4, stdout: '', stderr: 'Error: Kafka died with ***.\nHint: See its log.\n' });
  });

  it('prints one document with --json and keeps the exit code', async () => {
    const ran = await runFixture(['fail', 'server', '--json']);
    expect(documentOf(ran)).toEqual({ error: { code: 'KAFKA_DEAD', message: 'Kafka died with ***.', hint: 'See its log.' } });
    expect(ran.code).toBe(4);
    expect(ran.stderr).toBe('');
  });

  it('calls anything unexpected a defect, says how to report it and keeps the stack to itself', async () => {
    const ran = await runFixture(['fail', 'defect']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^Error: x is not a function \(\*\*\*\)\nHint: This is a defect in forge\..*FORGE_DEBUG=1/);
    expect(ran.stderr).not.toContain('fail.ts');
    const debug = await runFixture(['fail', 'defect'], { env: { FORGE_DEBUG: '1' } });
    expect(debug.stderr).toContain('fail.ts');
    expect(debug.stderr).not.toContain('hunter2');
  });

  it.each([
    ['an unknown command', ['fial', 'server'], 'UNKNOWN_COMMAND', 'Did you mean `forge fail`?'],
    ['an unknown command in a topic', ['topic', 'aks'], 'UNKNOWN_COMMAND', 'Did you mean `forge topic ask`?'],
    ['an unknown flag', ['say', '--mny', '3'], 'USAGE', 'Did you mean --many?'],
    ['a flag without its value', ['say', '--many'], 'USAGE', 'forge say --help'],
    ['a value of the wrong type', ['say', '--many', 'x'], 'USAGE', 'forge say --help'],
    ['a missing argument', ['fail'], 'USAGE', 'forge fail --help'],
    ['an argument too many', ['say', 'more'], 'USAGE', 'forge say --help'],
    ['a question that nobody can answer', ['topic', 'ask'], 'CONFIRMATION_NEEDED', '--yes'],
  ])('answers %s with exit code 2, as text and as a document', async (_what, argv, code, hint) => {
    const [text, json] = await Promise.all([runFixture(argv), runFixture([...argv, '--json'])]);
    expect(text.code).toBe(2);
    expect(text.stdout).toBe('');
    expect(text.stderr).toContain(hint);
    expect(json.code).toBe(2);
    expect(json.stderr).toBe('');
    expect(documentOf(json)).toMatchObject({ error: { code, hint: expect.stringContaining(hint) as unknown } });
  });

  it('prints a result that failed together with its error', async () => {
    const [text, json] = await Promise.all([runFixture(['fail', 'result']), runFixture(['fail', 'result', '--json'])]);
    expect(text).toMatchObject({ code: 4, stdout: 'the recap\n', stderr: 'Error: Kafka died with ***.\nHint: See its log.\n' });
    expect(json.code).toBe(4);
    expect(documentOf(json)).toMatchObject({ done: false, error: { code: 'KAFKA_DEAD' } });
  });

  it('prints a finding as a result with its own exit code', async () => {
    const [text, json] = await Promise.all([runFixture(['fail', 'finding']), runFixture(['fail', 'finding', '--json'])]);
    expect([text.code, text.stdout, json.code]).toEqual([5, 'the recap\n', 5]);
    expect(documentOf(json)).toEqual({ done: false });
  });
});

describe.concurrent('output', slow, () => {
  it('masks secrets in text and documents, and reveals them only where they are the result', async () => {
    const [text, json, revealed] = await Promise.all([
      runFixture(['say']),
      runFixture(['say', '--json']),
      runFixture(['reveal', '--json']),
    ]);
    expect(text).toEqual({ code: 0, stdout: 'password ***\n', stderr: 'a note\n' });
    expect(json).toEqual({ code: 0, stdout: '{\n  "password": "***"\n}\n', stderr: '' });
    expect(documentOf(revealed)).toEqual({ password: 'correct-horse' });
  });

  it('leaves notes out with --quiet and ends an ndjson stream with the result, or with the error', async () => {
    const [quiet, ndjson, failed, both] = await Promise.all([
      runFixture(['say', '--quiet']),
      runFixture(['say', '--output', 'ndjson']),
      runFixture(['say', '--output=ndjson', '--nope']),
      runFixture(['say', '--output=ndjson', '--json']),
    ]);
    expect(quiet).toEqual({ code: 0, stdout: 'password ***\n', stderr: '' });
    expect(ndjson).toEqual({ code: 0, stdout: '{"type":"result","password":"***"}\n', stderr: '' });
    expect(failed.code).toBe(2);
    expect(documentOf(failed)).toMatchObject({ type: 'result', error: { code: 'USAGE' } });
    expect(both.code).toBe(2);
    expect(documentOf(both)).toMatchObject({ error: { code: 'USAGE' } });
  });

  it.each([[['say', '--help']], [['topic']], [[]], [['--help']]])('gives help as one document with --json: %j', async (argv) => {
    const ran = await runFixture([...argv, '--json']);
    expect(ran.code).toBe(0);
    expect(documentOf(ran)).toMatchObject({ help: expect.stringContaining('USAGE') as unknown });
  });

  it('ends quietly when the reader of stdout has gone', async () => {
    const ran = await runFixture(['say', '--many', '100000'], { closeStdout: true });
    expect(ran.stderr).toBe('a note\n');
    expect(ran.code).toBe(141);
  });
});

describe.concurrent('signals', slow, () => {
  const interrupt = (then: string, signal: NodeJS.Signals, ...flags: string[]) =>
    runFixture(['wait', then, ...flags], { signals: [{ after: 'waiting', signal }] });

  it('exits 130 on Ctrl-C and 143 on SIGTERM, whatever a library made of the abort', async () => {
    const [int, term, json] = await Promise.all([
      interrupt('throw', 'SIGINT'),
      interrupt('throw', 'SIGTERM'),
      interrupt('throw', 'SIGINT', '--json'),
    ]);
    expect(int.code).toBe(130);
    expect(int.stderr).toContain('Error: Interrupted by SIGINT');
    expect(int.stderr).not.toContain('library');
    expect(term.code).toBe(143);
    expect(json.code).toBe(130);
    expect(documentOf(json)).toMatchObject({ error: { code: 'INTERRUPTED' } });
  });

  it('lets a command finish with its summary, which may call it a success', async () => {
    const [summary, fine] = await Promise.all([interrupt('summary', 'SIGINT'), interrupt('fine', 'SIGINT')]);
    expect([summary.code, summary.stdout]).toEqual([130, 'sent 3\n']);
    expect([fine.code, fine.stdout]).toEqual([0, 'sent 3\n']);
  });

  it('ends at once on the second Ctrl-C', async () => {
    const ran = await runFixture(['wait', 'hang'], {
      signals: [
        { after: 'waiting', signal: 'SIGINT' },
        { after: 'hanging', signal: 'SIGINT' },
      ],
    });
    expect(ran.code).toBe(130);
  });
});
