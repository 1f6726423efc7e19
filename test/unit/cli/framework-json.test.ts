import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot, runNode } from './run.js';

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'forge-framework-'));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

/** Runs forge itself, whose plugins the fixture does not have, and gives its one document. */
async function documentOf(argv: string[], code = 0): Promise<unknown> {
  const ran = await runNode(path.join(projectRoot, 'bin', 'dev.js'), argv, { env: { XDG_CACHE_HOME: cache } });
  expect(ran).toMatchObject({ code, stderr: '' });
  return JSON.parse(ran.stdout);
}

describe.concurrent('what is the framework’s own answers --json with one document too', { timeout: 90_000 }, () => {
  it.each([[['-v', '--json']], [['--version', '--json']], [['--json', '--version']], [['--json', '-v']]])('%j', async (argv) => {
    expect(await documentOf(argv)).toMatchObject({ name: 'forge-lakehouse', node: process.versions.node });
  });

  it.each([
    [['help', '--json'], /COMMANDS/],
    [['--json', 'help'], /COMMANDS/],
    [['help', 'generate', 'sql', '--json'], /forge generate sql/],
    [['help', 'generate', '--json', '-n'], /forge generate COMMAND/],
  ])('%j', async (argv, text) => {
    expect(await documentOf(argv)).toEqual({ help: expect.stringMatching(text) as string });
  });

  it.each([
    [['autocomplete', 'bash', '--json'], /forge autocomplete script bash/],
    [['autocomplete', 'script', 'bash', '--json'], /_SETUP_PATH=/],
  ])('%j', async (argv, text) => {
    expect(await documentOf(argv)).toEqual({ output: expect.stringMatching(text) as string });
  });

  it.each([
    [['help', 'nope', '--json'], 'USAGE', /forge --help/],
    [['help', 'up', '--json', '--nope'], 'USAGE', /forge --help/],
    [['autocomplete', 'nosh', '--json'], 'USAGE', /forge autocomplete/],
  ])('%j, as a mistake', async (argv, code, hint) => {
    expect(await documentOf(argv, 2)).toMatchObject({ error: { code, hint: expect.stringMatching(hint) as string } });
  });

  it('help says the summary once', async () => {
    const { help } = (await documentOf(['help', 'up', '--json'])) as { help: string };
    expect(help.replaceAll(/\s+/g, ' ').match(/Bring the stack up: servers/g)).toHaveLength(1);
    expect(help).toMatch(/DESCRIPTION\n {2}Run it again at any time/);
  });
});
