import { Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';
import type { EnvResult } from '../src/cli/schemas.js';

export default class Env extends ForgeCommand<EnvResult> {
  static override summary = 'Show what other tools need to connect: addresses, names and secrets, in clear';
  static override description =
    'The variables have the names that clients of Kafka, AWS, Iceberg and PostgreSQL look for. pyiceberg gives a .pyiceberg.yaml, psql a connection string.';
  static override examples = [
    { description: 'Into this shell', command: 'eval "$(<%= config.bin %> <%= command.id %>)"' },
    { description: 'A prompt on the views', command: 'psql "$(<%= config.bin %> <%= command.id %> --shell psql)"' },
    { description: 'For PyIceberg', command: '<%= config.bin %> <%= command.id %> --shell pyiceberg > .pyiceberg.yaml' },
  ];
  static override flags = {
    shell: Flags.option({
      options: ['bash', 'fish', 'json', 'pyiceberg', 'psql'] as const,
      default: 'bash' as const,
      summary: 'In which form',
    })(),
  };
  static override revealsSecrets = true;
  #text = '';

  async run(): Promise<EnvResult> {
    const { flags } = await this.parse(Env);
    const [{ openSession }, { environmentOf, formatEnvironment }] = await Promise.all([
      import('../src/lifecycle/session.js'),
      import('../src/lifecycle/env.js'),
    ]);
    const { stack } = await openSession(this.place(flags.workspace));
    const { needsConnect } = await import('../src/runtimes/kubernetes/connect.js');
    if (needsConnect(stack)) this.output.note('These addresses answer while `forge connect` runs.');
    const env = environmentOf(stack);
    this.#text = formatEnvironment(env, flags.shell);
    return env;
  }

  protected override render(): string {
    return this.#text;
  }
}
