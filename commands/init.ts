import path from 'node:path';
import { Flags } from '@oclif/core';
import { ForgeCommand, packageRoot } from '../src/cli/base-command.js';
import { usageError } from '../src/errors.js';

interface InitResult {
  file: string;
}

export default class Init extends ForgeCommand<InitResult> {
  static override summary = 'Write a forge.yaml with every setting, its default and what it means (it is optional)';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --workspace game'];
  static override baseFlags = {
    ...ForgeCommand.baseFlags,
    workspace: { ...ForgeCommand.baseFlags.workspace, summary: 'Folder to write it into (default: the current folder)' },
  };
  static override flags = { force: Flags.boolean({ char: 'f', summary: 'Replace a forge.yaml that is there' }) };

  async run(): Promise<InitResult> {
    const { flags } = await this.parse(Init);
    const [{ existsSync }, { initialConfigText }, { writeFileAtomic, ensureDir }] = await Promise.all([
      import('node:fs'),
      import('../src/config/json-schema.js'),
      import('../src/workspace/atomic.js'),
    ]);
    const folder = path.resolve(flags.workspace ?? '.');
    const file = path.join(folder, 'forge.yaml');
    if (existsSync(file) && !flags.force)
      throw usageError({ code: 'FILE_EXISTS', message: `${file} is there already`, hint: 'Add --force to replace it' });
    if (!existsSync(folder)) await ensureDir(folder, 0o755);
    await writeFileAtomic(file, initialConfigText(path.join(packageRoot(), 'schemas', 'forge.schema.json')), { mode: 0o644 });
    return { file };
  }

  protected override render({ file }: InitResult): string {
    return `Wrote ${file}. Next: \`forge up\`.`;
  }
}
