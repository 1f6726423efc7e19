import { Args, Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';

interface LogsResult {
  component: string;
  lines: { process: string; line: string }[];
}

export default class Logs extends ForgeCommand<LogsResult> {
  static override summary = "Show a server's log";
  static override examples = [
    '<%= config.bin %> <%= command.id %> kafka',
    {
      description: 'What Flink wrote in the last five minutes, and what it writes from now on',
      command: '<%= config.bin %> <%= command.id %> flink -f --since 5m',
    },
  ];
  static override args = {
    component: Args.string({
      required: true,
      description:
        'kafka, localstack, postgresql, polaris, iceberg-rest, flink or risingwave; or one process, workload or pod of it, such as flink-taskmanager',
    }),
  };
  static override flags = {
    follow: Flags.boolean({ char: 'f', summary: 'Go on with what is written from now on, until Ctrl-C', exclusive: ['json'] }),
    since: Flags.string({ helpValue: 'TIME', summary: 'Only lines of the last while (5m) or since a time (2026-11-21T12:00:00Z)' }),
    lines: Flags.string({
      char: 'n',
      helpValue: 'N',
      summary: 'So many of the last lines of each process or container; 100 without --since',
    }),
  };

  async run(): Promise<LogsResult> {
    const { args, flags } = await this.parse(Logs);
    const { componentLogs } = await import('../src/lifecycle/logs.js');
    const { component } = args;
    const collected: LogsResult['lines'] = [];
    await componentLogs({
      ...this.place(flags.workspace),
      component,
      follow: flags.follow,
      since: flags.since,
      lines: flags.lines,
      onLine: (process, line, isSingle) => {
        if (this.jsonEnabled()) collected.push({ process, line });
        else this.output.line(isSingle ? line : `${process} | ${line}`);
      },
    });
    return { component, lines: collected };
  }
}
