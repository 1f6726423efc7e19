import path from 'node:path';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { projectRoot } from './run.js';

interface Config {
  boundaries: ESLint.Options['overrideConfig'];
}

/** The messages of forge's own rules for a file with this text at this place. */
async function lint(filePath: string, text: string): Promise<string[]> {
  const { boundaries } = (await import(path.join(projectRoot, 'eslint.config.js'))) as Config;
  const eslint = new ESLint({ cwd: projectRoot, overrideConfigFile: true, overrideConfig: boundaries });
  const [result] = await eslint.lintText(text, { filePath });
  return (result?.messages ?? []).map(({ message }) => message);
}

describe('the rules of the layers fire', () => {
  it.each([
    ['clients import a module', 'src/clients/x.ts', "import { a } from '../modules/y.js';", 'may not import from src/modules'],
    ['a module imports the runner, even a type', 'src/modules/x.ts', "import type { A } from '../playbook/events.js';", 'src/playbook'],
    ['engines import runtimes, their neighbours', 'src/engines/flink/x.ts', "import { a } from '../../runtimes/y.js';", 'src/runtimes'],
    ['a lazy import upwards', 'src/workspace/x.ts', "await import('../clients/http.js');", 'src/clients'],
    ['a type named inline', 'src/config/x.ts', "export type A = import('../workspace/secret.js').Secret;", 'src/workspace'],
    ['something but a command imports cli', 'src/lifecycle/x.ts', "export { a } from '../cli/output.js';", 'src/cli'],
    ['execa outside of exec.ts', 'src/runtimes/x.ts', "await import('execa');", 'one place only'],
    ['listr2 outside of its renderer', 'src/cli/x.ts', "import { Listr } from 'listr2';", 'one place only'],
    ['oclif below the commands', 'src/playbook/x.ts', "import { Errors } from '@oclif/core';", 'one place only'],
    ['kafkajs loaded at the start', 'src/clients/kafka.ts', "import { Kafka } from 'kafkajs';", 'await import()'],
    ['a write to stdout', 'src/doctor/x.ts', "process.stdout.write('x');", 'Only src/cli writes'],
    ['console', 'src/doctor/x.ts', "console.log('x');", 'console'],
    ['console in a command', 'commands/x.ts', "console.log('x');", 'console'],
    ['an end of the process', 'src/engines/x.ts', 'process.exit(1);', 'Throw a ForgeError'],
    ['a default export', 'src/engines/x.ts', 'export default 1;', 'named export'],
  ])('%s', async (_what, file, text, message) => {
    expect(await lint(file, text)).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['commands/x.ts', "import { ForgeCommand } from '../src/cli/base-command.js';\nexport default class X extends ForgeCommand {}"],
    [
      'src/modules/x.ts',
      "import { a } from '../clients/kafka.js';\nimport { b } from '../engines/flink/y.js';\nimport { c } from './z.js';",
    ],
    ['src/clients/kafka.ts', "import type { Kafka } from 'kafkajs';\nawait import('kafkajs');"],
    ['src/cli/render-listr.ts', "import { Listr } from 'listr2';\nprocess.stdout.write('x');"],
    ['src/workspace/x.ts', "import { usageError } from '../errors.js';\nimport type { Config } from '../config/schema.js';"],
  ])('and leave what is right alone: %s', async (file, text) => {
    expect(await lint(file, text)).toEqual([]);
  });
});
