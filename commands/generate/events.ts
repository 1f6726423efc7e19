import { Flags } from '@oclif/core';
import { ForgeCommand, packageRoot } from '../../src/cli/base-command.js';
import type { GenerateEventsResult } from '../../src/cli/schemas.js';
import { table } from '../../src/cli/table.js';
import { duration } from '../../src/cli/text.js';
import { ExitCode, serverError } from '../../src/errors.js';

type Target = { bootstrapServers: string; topic: string };
type Reach = <T>(use: () => Promise<T>) => Promise<T>;

const number = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

export default class GenerateEvents extends ForgeCommand<GenerateEventsResult> {
  static override summary = 'Play simulated players: send balloon pops to Kafka';
  static override description =
    'Without --duration and --count it plays until Ctrl-C, which ends it cleanly: everything sent is acknowledged and counted. ' +
    'The same --seed gives the same events in all but their time. Without --bootstrap-servers it plays on the stack of the workspace.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --players 25 --rate 200 --duration 5m',
    '<%= config.bin %> <%= command.id %> --count 20000 --seed 7 --json',
    '<%= config.bin %> <%= command.id %> --bootstrap-servers 127.0.0.1:19094 --topic balloon-game --rate max --count 1e6',
  ];
  static override flags = {
    players: Flags.string({ helpValue: 'N', env: 'NUM_PLAYERS', summary: 'Players (there are 49 names)', default: '10' }),
    'bonus-probability': Flags.string({
      helpValue: 'P',
      env: 'BONUS_PROBABILITY',
      summary: 'Chance that a player aims for a favourite colour, which scores twice',
      default: '0.15',
    }),
    rate: Flags.string({ helpValue: 'N|max', summary: 'Events per second; 10, or max when only --count is given' }),
    delay: Flags.string({ helpValue: 'SECONDS', env: 'DELAY', summary: 'Seconds between two events, in place of --rate' }),
    duration: Flags.string({ helpValue: 'TIME', summary: 'Ends after this time, such as 30s or 5m' }),
    count: Flags.string({ helpValue: 'N', summary: 'Ends after so many events' }),
    seed: Flags.string({ helpValue: 'N', summary: 'Makes the events repeatable (0 to 4294967295)' }),
    topic: Flags.string({ helpValue: 'NAME', env: 'KAFKA_TOPIC', summary: 'Topic; that of the workspace, else balloon-game' }),
    'bootstrap-servers': Flags.string({
      helpValue: 'HOST:PORT',
      env: 'KAFKA_BOOTSTRAP_SERVERS',
      summary: 'Kafka to send to; that of the workspace',
    }),
  };

  async run(): Promise<GenerateEventsResult> {
    const { flags } = await this.parse(GenerateEvents);
    const { readOptions } = await import('../../src/generator/options.js');
    const options = readOptions(flags);
    const { runGenerator } = await import('../../src/generator/run.js');
    const { target, reach } = await this.target(options, flags.workspace);
    const { result, failure } = await reach(() =>
      runGenerator({
        ...options,
        ...target,
        signal: this.signal,
        onProgress: ({ acknowledged, totalScore, seconds, eventsPerSecond }) =>
          this.output.live(
            `${duration(seconds)}: ${number.format(acknowledged)} events, ${number.format(eventsPerSecond)}/s, total score ${number.format(totalScore)}`,
          ),
      }),
    );
    this.failure = failure;
    // Ctrl-C is how an endless game ends; one with an end of its own was cut short.
    if (failure === undefined && options.count === undefined && options.durationSeconds === undefined) this.exitCode = ExitCode.done;
    return result;
  }

  /** The Kafka and the topic of the workspace, where the flags name none. */
  private async target({ bootstrapServers, topic }: Partial<Target>, folder?: string): Promise<{ target: Target; reach: Reach }> {
    if (bootstrapServers !== undefined) return { target: { bootstrapServers, topic: topic ?? 'balloon-game' }, reach: (use) => use() };
    const [{ openSession }, { runtimeOf }] = await Promise.all([
      import('../../src/lifecycle/session.js'),
      import('../../src/lifecycle/runtime.js'),
    ]);
    const { stack, isKnown } = await openSession({ folder, cacheDir: this.cacheDir, packageRoot: packageRoot() });
    // Whoever listens on the default port then is a stranger.
    if (!isKnown)
      throw serverError({
        code: 'NOT_UP',
        message: 'No stack was brought up in this workspace',
        hint: 'Start it with `forge up`, or name a broker with --bootstrap-servers',
      });
    const { host, port } = stack.endpoints['kafka'] ?? {};
    const runtime = await runtimeOf(stack.runtime);
    return {
      target: { bootstrapServers: `${host}:${port}`, topic: topic ?? stack.config.topic.name },
      reach: (use) => runtime.withAccess(stack, this.signal, use),
    };
  }

  protected override render(result: GenerateEventsResult): string {
    const { sent, acknowledged, totalScore, byPlayer, seconds, eventsPerSecond } = result;
    const rows = Object.entries(byPlayer).map(([player, { events, score, bonus }]) => [
      player,
      ...[events, score, bonus].map((value) => number.format(value)),
    ]);
    const totals = `${number.format(sent)} sent, ${number.format(acknowledged)} acknowledged, total score ${number.format(totalScore)}`;
    const pace = `${duration(seconds)}, ${number.format(eventsPerSecond)} events per second`;
    return `${rows.length === 0 ? '' : `${table(['player', 'events', 'score', 'bonus'], rows)}\n\n`}${totals} in ${pace}`;
  }
}
