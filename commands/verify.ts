import { Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';
import { flowVerdict, legLines } from '../src/cli/proof.js';
import type { VerifyResult } from '../src/cli/schemas.js';
import { ExitCode } from '../src/errors.js';

export default class Verify extends ForgeCommand<VerifyResult> {
  static override summary = 'Prove that events flow: topic, job, views and tables, leg by leg (exit code 5 when a leg is broken)';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {
      description: 'Send marked events and wait until views and tables hold exactly them',
      command: '<%= config.bin %> <%= command.id %> --probe',
    },
  ];
  static override flags = {
    probe: Flags.boolean({ summary: 'Send marked events, wait for exactly them, and tell the latency (about half a minute)' }),
  };

  async run(): Promise<VerifyResult> {
    const { flags } = await this.parse(Verify);
    const { verifyWorkspace } = await import('../src/lifecycle/verify.js');
    const result = await verifyWorkspace({
      ...this.place(flags.workspace),
      probe: flags.probe,
      progress: (text) => this.output.live(text),
    });
    if (!result.healthy) this.exitCode = ExitCode.finding;
    return result;
  }

  protected override render(result: VerifyResult): string {
    const { legs, latency } = result;
    const times =
      latency === undefined
        ? []
        : [
            `Latency: view p50 ${latency.view.p50} ms, p99 ${latency.view.p99} ms; table p50 ${latency.table.p50} ms, p99 ${latency.table.p99} ms`,
          ];
    return [legLines(legs), ...times, flowVerdict(result)].join('\n');
  }
}
