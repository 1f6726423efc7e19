import { Flags } from '@oclif/core';
import { ForgeCommand } from '../../src/cli/base-command.js';
import type { ResetResult } from '../../src/lifecycle/catalog-reset.js';

export default class CatalogReset extends ForgeCommand<ResetResult> {
  static override summary = "Purge Polaris' realm and make it anew, empty; its database and its credentials stay";
  static override description =
    'For a catalog that is beyond repair, or whose root credentials are lost. Tables, principals and grants are forgotten; the files of the tables stay in the bucket. `forge up` then makes the catalog, its tables and what writes them anew.';
  static override examples = ['<%= config.bin %> <%= command.id %> --yes'];
  static override flags = {
    yes: Flags.boolean({ char: 'y', summary: 'Do not ask' }),
  };

  async run(): Promise<ResetResult> {
    const { flags } = await this.parse(CatalogReset);
    const { resetCatalog } = await import('../../src/lifecycle/catalog-reset.js');
    return resetCatalog({
      ...this.place(flags.workspace),
      consent: async (question) => flags.yes || (await this.confirm(question)),
    });
  }

  protected override render({ realm }: ResetResult): string {
    return `The realm ${realm} is empty. Next: \`forge up\`, which makes the catalog and its tables.`;
  }
}
