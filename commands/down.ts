import { Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';
import { usageError } from '../src/errors.js';
import type { DownResult } from '../src/lifecycle/down.js';

export default class Down extends ForgeCommand<DownResult> {
  static override summary = 'Stop the stack and remove what forge made in this workspace; the cache of server packages stays';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --yes',
    { description: 'Stop the servers only; `up` goes on with the same data', command: '<%= config.bin %> <%= command.id %> --keep-data' },
  ];
  static override flags = {
    'keep-data': Flags.boolean({ summary: 'Stop the servers, keep data, credentials and settings' }),
    yes: Flags.boolean({ char: 'y', summary: 'Do not ask' }),
  };

  async run(): Promise<DownResult> {
    const { flags } = await this.parse(Down);
    const { bringDown, stackFolder } = await import('../src/lifecycle/down.js');
    const keepData = flags['keep-data'];
    const there = keepData || flags.yes ? undefined : stackFolder(flags.workspace);
    if (there !== undefined && !(await this.confirm(`Remove the stack in ${there} with all its data?`)))
      throw usageError({ code: 'NOT_CHANGED', message: 'Nothing was removed', hint: '--keep-data stops the servers only' });
    return bringDown({ ...this.place(flags.workspace), keepData });
  }

  protected override render({ workspace, stopped, removed }: DownResult): string {
    if (stopped.length === 0 && !removed) return `Nothing was there (${workspace}).`;
    const servers = stopped.length === 0 ? 'No server ran' : `Stopped ${stopped.join(', ')}`;
    return `${servers}; ${removed ? `the data of the stack in ${workspace} is removed` : 'its data stays'}.`;
  }
}
