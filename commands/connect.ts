import { ForgeCommand } from '../src/cli/base-command.js';
import type { ConnectResult } from '../src/cli/schemas.js';
import { table } from '../src/cli/table.js';
import { ExitCode } from '../src/errors.js';

export default class Connect extends ForgeCommand<ConnectResult> {
  static override summary = 'Lead the ports of a stack on an existing Kubernetes cluster to this machine, until Ctrl-C';
  static override description =
    'With the runtime kubernetes the addresses that `forge urls` and `forge env` show answer only while a command of forge runs; this one keeps them open for other tools. Pods may restart meanwhile: each connection finds a ready one.';
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  async run(): Promise<ConnectResult> {
    const { flags } = await this.parse(Connect);
    const { connectStack } = await import('../src/lifecycle/connect.js');
    const result = await connectStack({
      ...this.place(flags.workspace),
      onOpen: (context, ports) => {
        const rows = ports.map(({ name, host, port, namespace, service, servicePort }) => [
          name,
          `${host}:${port}`,
          `${service}.${namespace}:${servicePort}`,
        ]);
        this.output.line(`${table(['port', 'address', 'leads to'], rows)}\n\nOpen into ${context}, until Ctrl-C.`);
      },
      onChange: ({ name, pods }) => {
        const what = pods.length === 0 ? 'no pod is ready' : `ready: ${pods.join(', ')}`;
        this.output.line(`${new Date().toTimeString().slice(0, 8)} ${name}: ${what}`);
      },
    });
    // Ctrl-C is how it ends.
    this.exitCode = ExitCode.done;
    return result;
  }
}
