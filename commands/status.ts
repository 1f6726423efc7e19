import { ForgeCommand } from '../src/cli/base-command.js';
import type { StatusResult } from '../src/cli/schemas.js';
import { table } from '../src/cli/table.js';

const MEBIBYTE = 1024 * 1024;

export default class Status extends ForgeCommand<StatusResult> {
  static override summary = 'Show what runs: every server is looked for and asked itself';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];

  async run(): Promise<StatusResult> {
    const { flags } = await this.parse(Status);
    const { stackStatus } = await import('../src/lifecycle/status.js');
    return stackStatus(this.place(flags.workspace));
  }

  protected override render({ healthy, components }: StatusResult): string {
    const rows = components.map(({ name, state, endpoint, residentBytes, pids, pods, reason }) => [
      name,
      state,
      endpoint === null ? '' : `${endpoint.host}:${endpoint.port}`,
      residentBytes === 0 ? '' : `${Math.round(residentBytes / MEBIBYTE)} MiB`,
      (pods ?? pids ?? []).join(' '),
      reason ?? '',
    ]);
    const what = components.some(({ pods }) => pods !== undefined) ? 'pods' : 'pids';
    const total = components.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
    const verdict = healthy
      ? `All servers run${total === 0 ? '' : `, ${Math.round(total / MEBIBYTE)} MiB resident`}.`
      : 'Not everything runs: `forge doctor` says why, `forge up` mends it.';
    return `${table(['server', 'state', 'address', 'memory', what, 'reason'], rows)}\n\n${verdict}`;
  }
}
