import { Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';
import { createRunRenderer, runFlags } from '../src/cli/render.js';
import type { UpResult } from '../src/cli/schemas.js';
import { table } from '../src/cli/table.js';
import { legLines } from '../src/cli/proof.js';
import { duration } from '../src/cli/text.js';
import { ExitCode, findingError } from '../src/errors.js';
import type { UpOptions, UpOutcome } from '../src/lifecycle/up.js';

export default class Up extends ForgeCommand<UpResult> {
  static override summary = 'Bring the stack up: servers, storage, catalog, tables, job; only what is missing or differs is changed';
  static override description =
    'Run it again at any time: it looks first, and mends what it finds. What it was told (stack, catalog) is kept in the workspace, so that other commands need no flags.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {
      description: 'Bring it up, let players play for half a minute, show the leaderboard',
      command: '<%= config.bin %> <%= command.id %> --events 30s',
    },
    { description: 'What would change? (exit code 5 when something would)', command: '<%= config.bin %> <%= command.id %> --check --diff' },
    '<%= config.bin %> <%= command.id %> --catalog iceberg-rest --json',
  ];
  static override flags = {
    ...runFlags,
    check: Flags.boolean({
      summary: 'Only say what would change: exit code 0 when nothing would, 5 when something would',
      exclusive: ['events'],
    }),
    events: Flags.string({
      helpValue: 'TIME',
      summary: 'Then play simulated players for this long, such as 30s, and prove that the events flow',
    }),
    stack: Flags.string({ helpValue: 'NAME', summary: 'What to bring up' }),
    runtime: Flags.string({ helpValue: 'auto|process', summary: 'Where the servers run' }),
    engine: Flags.string({ helpValue: 'auto|flink', summary: 'What runs the stream SQL' }),
    catalog: Flags.string({ helpValue: 'auto|polaris|iceberg-rest', summary: 'Iceberg catalog' }),
    yes: Flags.boolean({ char: 'y', summary: 'Change an existing stack into another one without asking' }),
  };

  async run(): Promise<UpResult> {
    const { flags } = await this.parse(Up);
    const { check, diff, stack, runtime, engine, catalog } = flags;
    const seconds =
      flags.events === undefined ? undefined : (await import('../src/generator/options.js')).parseDuration('--events', flags.events);
    const { bringUp } = await import('../src/lifecycle/up.js');
    const renderer = await createRunRenderer({ output: this.output, diff, check, signal: this.signal });
    const options: UpOptions = {
      ...this.place(flags.workspace),
      flags: { stack, runtime, engine, catalog },
      check,
      onEvent: renderer.onEvent,
      consent: async (question) => flags.yes || (await this.confirm(question)),
    };
    let outcome: UpOutcome;
    try {
      outcome = await bringUp(options);
    } catch (error) {
      await renderer.finish();
      throw error;
    }
    await renderer.finish(outcome.run);
    this.failure = outcome.run.error;
    if (check && outcome.run.failed === 0 && outcome.run.changed > 0) this.exitCode = ExitCode.finding;
    const result = await toResult(outcome, diff);
    if (seconds !== undefined && outcome.run.failed === 0) await this.play(result, outcome, seconds);
    return result;
  }

  private async play(result: UpResult, { stack }: UpOutcome, seconds: number): Promise<void> {
    const { playAndProve } = await import('../src/lifecycle/play.js');
    const played = await playAndProve(stack, { seconds, signal: this.signal, live: (text) => this.output.live(text) });
    Object.assign(result, played);
    if (played.verify.healthy) return;
    const broken = played.verify.legs.filter(({ ok }) => !ok).map(({ name }) => name);
    this.failure = findingError({
      code: 'FLOW_BROKEN',
      message: `Events do not flow: ${broken.join(', ')}`,
      hint: 'Run `forge verify` again, then `forge status` and `forge logs`',
    });
  }

  protected override render(result: UpResult): string {
    const parts = [
      table(
        ['server', 'address'],
        Object.entries(result.endpoints).map(([name, { url }]) => [name, url]),
      ),
    ];
    if (result.leaderboard !== undefined) {
      parts.push(
        table(
          ['player', 'score', 'bonus pops'],
          result.leaderboard.map(({ player, score, bonusPops }) => [player, String(score), String(bonusPops)]),
        ),
      );
    }
    if (result.events !== undefined) {
      parts.push(`${result.events.acknowledged} events in ${duration(result.events.seconds)}, total score ${result.events.totalScore}`);
    }
    if (result.verify !== undefined) parts.push(legLines(result.verify.legs));
    else if (result.failed === 0)
      parts.push('Next: `forge generate events`, then `forge verify`; `forge env` tells other tools how to connect.');
    return '\n' + parts.join('\n\n');
  }
}

async function toResult({ stack, run }: UpOutcome, withDiff: boolean): Promise<UpResult> {
  const { ok, changed, skipped, failed, seconds } = run;
  const tasks = run.tasks.map(({ id, module, status, seconds: took, message, diff }) => ({
    id,
    module,
    status,
    seconds: took,
    ...(message === undefined ? {} : { message }),
    ...(withDiff && diff !== undefined ? { diff } : {}),
  }));
  const endpoints = Object.fromEntries(Object.entries(stack.endpoints).map(([name, { host, port, url }]) => [name, { host, port, url }]));
  return {
    stack: stack.stack,
    runtime: stack.runtime,
    engine: stack.engine,
    catalog: stack.catalog,
    ok,
    changed,
    skipped,
    failed,
    seconds,
    tasks,
    endpoints,
  };
}
