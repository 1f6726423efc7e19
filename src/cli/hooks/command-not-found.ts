import { type Hook, toConfiguredId } from '@oclif/core';
import { usageError } from '../../errors.js';
import { nearest } from '../../config/suggest.js';

/** An unknown command is an error like all others (exit 2, one document with --json), with the nearest name; it never prompts. */
const hook: Hook.CommandNotFound = function ({ id, config }) {
  if (id.startsWith('-'))
    throw usageError({
      code: 'USAGE',
      message: `No command before ${id}.`,
      hint: 'Flags come after the command; `forge --help` lists the commands.',
    });
  // oclif takes the words after a command that has no arguments for a part of its name.
  const words = id.split(':');
  const command = words.map((_, index) => words.slice(0, index + 1)).findLast((part) => config.findCommand(part.join(':')));
  if (command)
    throw usageError({
      code: 'USAGE',
      message: `forge ${command.join(' ')} takes no argument: ${words.slice(command.length).join(' ')}`,
      hint: `See \`forge ${command.join(' ')} --help\`.`,
    });
  const known = config.commands.filter(({ hidden }) => !hidden).map((found) => toConfiguredId(found.id, config));
  const parts = words.map((_, index) => words.slice(0, words.length - index).join(' '));
  const near = parts.map((part) => nearest(part, known)).find((name) => name !== undefined);
  const help = config.findTopic(id.split(':')[0] ?? '') ? `forge ${id.split(':')[0]} --help` : 'forge --help';
  throw usageError({
    code: 'UNKNOWN_COMMAND',
    message: `${words.join(' ')} is not a forge command.`,
    hint: near === undefined ? `\`${help}\` lists the commands.` : `Did you mean \`forge ${near}\`? \`${help}\` lists the commands.`,
  });
};

export default hook;
