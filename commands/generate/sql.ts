import { ForgeCommand } from '../../src/cli/base-command.js';

interface GenerateResult {
  files: string[];
}

export default class GenerateSql extends ForgeCommand<GenerateResult> {
  static override summary = "Write the stream SQL to .forge/generated, complete, to read or to run in Flink's own client";
  static override description = 'The files hold secrets and are readable by you only. `forge up` writes the same files.';
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  async run(): Promise<GenerateResult> {
    const { flags } = await this.parse(GenerateSql);
    const { generate } = await import('../../src/lifecycle/generate.js');
    return generate({ ...this.place(flags.workspace), what: 'sql' });
  }

  protected override render({ files }: GenerateResult): string {
    return files.join('\n');
  }
}
