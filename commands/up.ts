import { Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';
import { createRunRenderer, runFlags } from '../src/cli/render.js';
import type { UpResult } from '../src/cli/schemas.js';
import { table } from '../src/cli/table.js';
import { legLines } from '../src/cli/proof.js';
import { duration } from '../src/cli/text.js';
import { ExitCode, findingError, usageError } from '../src/errors.js';
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
    {
      description: 'In a cluster that you have, such as one of kind',
      command: '<%= config.bin %> <%= command.id %> --runtime kubernetes --context kind-kind',
    },
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
    runtime: Flags.string({ helpValue: 'auto|k3d|kubernetes|process', summary: 'Where the servers run' }),
    context: Flags.string({
      helpValue: 'NAME',
      summary: 'Context of your kubeconfig, for the runtime kubernetes; forge uses no other, and keeps it for later commands',
    }),
    engine: Flags.string({ helpValue: 'auto|risingwave|flink', summary: 'What runs the stream SQL' }),
    catalog: Flags.string({ helpValue: 'auto|polaris|iceberg-rest', summary: 'Iceberg catalog' }),
    offline: Flags.boolean({ summary: 'Download nothing: fail at once with the list of what is not on this machine' }),
    recreate: Flags.boolean({
      summary: 'Where the k3d cluster cannot be changed (a port, its image) or does not get ready: make it anew, and keep the data',
    }),
    yes: Flags.boolean({ char: 'y', summary: 'Change an existing stack into another one without asking' }),
  };

  #check = false;

  async run(): Promise<UpResult> {
    const { flags } = await this.parse(Up);
    this.#check = flags.check;
    const { check, diff, stack, engine, catalog, context } = flags;
    const runtime = runtimeFor(flags);
    const seconds =
      flags.events === undefined ? undefined : (await import('../src/generator/options.js')).parseDuration('--events', flags.events);
    const { bringUp } = await import('../src/lifecycle/up.js');
    const renderer = await createRunRenderer({ output: this.output, diff, check, signal: this.signal });
    const options: UpOptions = {
      ...this.place(flags.workspace),
      flags: { stack, runtime, engine, catalog, 'kubernetes.context': context },
      orders: { offline: flags.offline, recreate: flags.recreate },
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
      hint: '`forge doctor` says where events stop',
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
    else if (this.#check) {
      if (result.failed === 0)
        parts.push(result.changed === 0 ? 'Nothing would change.' : `Nothing was changed; \`forge up\` would change ${result.changed}.`);
    } else if (result.failed === 0) {
      const others =
        result.runtime === 'kubernetes'
          ? '`forge connect` keeps these addresses open for other tools.'
          : '`forge env` tells other tools how to connect.';
      parts.push(`Next: \`forge generate events\`, then \`forge verify\`; ${others}`);
    }
    return '\n' + parts.join('\n\n');
  }
}

/** Whoever names a context wants to use it. */
function runtimeFor({ runtime, context }: { runtime?: string | undefined; context?: string | undefined }): string | undefined {
  if (context === undefined || runtime === 'kubernetes') return runtime;
  if (runtime === undefined) return 'kubernetes';
  throw usageError({
    code: 'CONTEXT_NEEDLESS',
    message: `--context is for the runtime kubernetes, not for ${runtime}`,
    hint: 'Leave out one of the two flags',
  });
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
