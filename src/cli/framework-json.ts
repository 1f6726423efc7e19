import { stripVTControlCharacters } from 'node:util';
import { type Command, type Config, ux } from '@oclif/core';
import { formatOf, ownWords } from './argv.js';
import { ForgeHelp } from './help.js';
import { createOutput } from './output.js';

/** What the framework and its plugins would answer as text, as the one document that `--json` promises. False: it is not theirs. */
export async function answerInJson(argv: readonly string[], config: Config): Promise<boolean> {
  if (formatOf(argv) !== 'json') return false;
  const words = withoutJson(argv);
  const document = (await helpFor(words, config)) ?? (await outputOf(words, config));
  if (document === undefined) return false;
  createOutput({ format: 'json', quiet: false }).document(document);
  return true;
}

/** `--version` is a flag of the framework; the command of that name answers in JSON. */
export function versionInJson(argv: readonly string[]): string[] {
  const [first = '', ...rest] = withoutJson(argv);
  return formatOf(argv) === 'json' && ['--version', '-v'].includes(first) ? ['version', '--json', ...rest] : [...argv];
}

function withoutJson(argv: readonly string[]): string[] {
  const own = ownWords(argv);
  return [...own.filter((word) => word !== '--json'), ...argv.slice(own.length)];
}

async function helpFor(words: string[], config: Config): Promise<{ help: string } | undefined> {
  const [first, ...rest] = words;
  const nested = rest.some((word) => word === '-n' || word === '--nested-commands');
  const named = rest.filter((word) => word !== '-n' && word !== '--nested-commands');
  // Another flag is a mistake, which the command itself tells.
  const isCommand = first === 'help' && !named.some((word) => word.startsWith('-'));
  const isTopic = config.findTopic(words.join(':')) !== undefined && config.findCommand(words.join(':')) === undefined;
  const asksHelp = words.length === 0 || ownWords(words).some((word) => word === '--help' || word === '-h');
  if (!isCommand && !isTopic && !asksHelp) return undefined;
  const help = new TextHelp(config, { stripAnsi: true, all: isCommand && nested });
  await help.showHelp(isCommand ? named : words);
  return { help: help.text };
}

class TextHelp extends ForgeHelp {
  text = '';

  protected override log(...args: string[]): void {
    this.text += `${args.join(' ')}\n`;
  }
}

/** A plugin's command knows no --json: it is run without, and what it prints is the document. */
async function outputOf(words: string[], config: Config): Promise<{ output: string } | undefined> {
  const length = words.findLastIndex((_, index) => config.findCommand(words.slice(0, index + 1).join(':')) !== undefined) + 1;
  const found = config.findCommand(words.slice(0, length).join(':'));
  if (found === undefined || found.pluginName === config.name) return undefined;
  let output = '';
  const Plugged = (await found.load()) as unknown as new (argv: string[], config: Config) => Command;
  const command = new Plugged(words.slice(length), config);
  command.log = (message = '') => (output += `${message}\n`);
  // Its progress is for a person.
  ux.action.start = ux.action.stop = () => undefined;
  await command.run();
  return { output: stripVTControlCharacters(output) };
}
