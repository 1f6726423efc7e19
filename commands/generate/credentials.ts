import { ForgeCommand } from '../../src/cli/base-command.js';

interface GenerateResult {
  files: string[];
}

export default class GenerateCredentials extends ForgeCommand<GenerateResult> {
  static override summary = 'Make the credentials of the stack that are not there yet, in .forge/credentials';
  static override description =
    'Random values, one file a credential, readable by you only; what is there is kept. `forge up` does the same.';
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  async run(): Promise<GenerateResult> {
    const { flags } = await this.parse(GenerateCredentials);
    const { generate } = await import('../../src/lifecycle/generate.js');
    return generate({ ...this.place(flags.workspace), what: 'credentials' });
  }

  protected override render({ files }: GenerateResult): string {
    return files.join('\n');
  }
}
