import { ForgeCommand } from '../src/cli/base-command.js';
import { table } from '../src/cli/table.js';

type UrlsResult = Record<string, string>;

export default class Urls extends ForgeCommand<UrlsResult> {
  static override summary = 'Show the addresses of the stack';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];

  async run(): Promise<UrlsResult> {
    const { flags } = await this.parse(Urls);
    const { openSession } = await import('../src/lifecycle/session.js');
    const { stack } = await openSession(this.place(flags.workspace));
    const { needsConnect } = await import('../src/runtimes/kubernetes/connect.js');
    if (needsConnect(stack)) this.output.note('These addresses answer while `forge connect` runs.');
    return Object.fromEntries(Object.entries(stack.endpoints).map(([name, { url }]) => [name, url]));
  }

  protected override render(urls: UrlsResult): string {
    return table(['server', 'address'], Object.entries(urls));
  }
}
