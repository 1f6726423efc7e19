import { Flags } from '@oclif/core';
import { ForgeCommand } from '../../src/cli/base-command.js';

interface GenerateResult {
  files: string[];
}

export default class GenerateSql extends ForgeCommand<GenerateResult> {
  static override summary = "Write the stream SQL to .forge/generated, complete, to read or to run in the engine's own client";
  static override description =
    "The files hold secrets and are readable by you only. `forge up` writes the same files. Flink's is pipeline.sql; RisingWave's are source.sql and sink.sql, for psql, in this order.";
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {
      description: 'For RisingWave, and by hand into a running one',
      command:
        '<%= config.bin %> <%= command.id %> --engine risingwave && eval "$(<%= config.bin %> env)" && psql -f .forge/generated/source.sql && psql -f .forge/generated/sink.sql',
    },
  ];
  static override flags = {
    engine: Flags.option({ options: ['flink', 'risingwave'] as const, summary: "For another engine than the stack's" })(),
  };

  async run(): Promise<GenerateResult> {
    const { flags } = await this.parse(GenerateSql);
    const { generate } = await import('../../src/lifecycle/generate.js');
    return generate({ ...this.place(flags.workspace), flags: { engine: flags.engine }, what: 'sql' });
  }

  protected override render({ files }: GenerateResult): string {
    return files.join('\n');
  }
}
