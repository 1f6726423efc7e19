import { Flags } from '@oclif/core';
import { ForgeCommand } from '../../src/cli/base-command.js';
import type { GenerateEventsResult } from '../../src/cli/schemas.js';
import { table } from '../../src/cli/table.js';
import { duration } from '../../src/cli/text.js';
import { ExitCode } from '../../src/errors.js';

const number = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

export default class GenerateEvents extends ForgeCommand<GenerateEventsResult> {
  static override summary = 'Play simulated players: send balloon pops to Kafka';
  static override description =
    'Without --duration and --count it plays until Ctrl-C, which ends it cleanly: everything sent is acknowledged and counted. ' +
    'The same --seed gives the same events in all but their time. Without --bootstrap-servers it plays on the stack of the workspace; one that is named (--workspace) counts more than the variables KAFKA_BOOTSTRAP_SERVERS and KAFKA_TOPIC.';
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
    const { flags, raw } = await this.parse(GenerateEvents);
    const typed = new Set(raw.map((token) => (token.type === 'flag' ? token.flag : token.arg)));
    // What `forge env` exported says nothing against a workspace that is named.
    const told = (name: 'topic' | 'bootstrap-servers') => (typed.has('workspace') && !typed.has(name) ? undefined : flags[name]);
    const [{ readOptions }, { eventsTarget }, { runGenerator }] = await Promise.all([
      import('../../src/generator/options.js'),
      import('../../src/lifecycle/events-target.js'),
      import('../../src/generator/run.js'),
    ]);
    const options = readOptions({ ...flags, topic: told('topic'), 'bootstrap-servers': told('bootstrap-servers') });
    const { bootstrapServers, topic, reach } = await eventsTarget({
      ...this.place(flags.workspace),
      bootstrapServers: options.bootstrapServers,
      topic: options.topic,
      variables: { bootstrapServers: !typed.has('bootstrap-servers'), topic: !typed.has('topic') },
    });
    const { result, failure } = await reach(() =>
      runGenerator({
        ...options,
        bootstrapServers,
        topic,
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
