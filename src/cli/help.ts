import { CommandHelp, Help } from '@oclif/core';

/** The help of a command begins with its summary: the framework's own description would say it again. */
class CommandText extends CommandHelp {
  protected override description(): string | undefined {
    const { summary, description = '' } = this.command;
    // Without a summary the first line of the description is the title.
    const rest = summary === undefined ? description.split('\n').slice(1).join('\n') : description;
    return rest.trim() === '' ? undefined : this.wrap(rest.trim());
  }
}

/** Shows help: the framework loads it (package.json, helpClass). */
export class ForgeHelp extends Help {
  protected override CommandHelpClass = CommandText;
}
