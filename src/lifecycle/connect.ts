import { usageError } from '../errors.js';
import { leadPorts } from '../runtimes/kubernetes/access.js';
import { forwardsOf, runningConnect } from '../runtimes/kubernetes/connect.js';
import type { Forward } from '../runtimes/kubernetes/forward.js';
import { dialer } from '../runtimes/kubernetes/service.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import type { StackContext } from '../workspace/context.js';
import { followPods, isOver, untilChanged } from './connect-follow.js';
import { openSession, requireUp, type Session, type SessionOptions } from './session.js';

export interface ConnectOptions extends SessionOptions {
  signal: AbortSignal;
  /** The ports are open; once more when the stack has changed meanwhile. */
  onOpen: (context: string, ports: ConnectedPort[]) => void;
  /** A port leads to other pods than before. */
  onChange: (change: { name: string; pods: string[] }) => void;
  note: (text: string) => void;
}

export interface ConnectedPort {
  name: string;
  host: string;
  port: number;
  namespace: string;
  service: string;
  servicePort: number;
}

export interface ConnectResult {
  context: string;
  ports: ConnectedPort[];
  /** How often a port led to other pods than before. */
  changes: number;
  seconds: number;
}

/**
 * Leads all ports of the stack into its cluster until the signal comes or the stack is taken down; follows a stack that is changed
 * meanwhile. Other commands of this workspace use its ports.
 */
export async function connectStack(options: ConnectOptions): Promise<ConnectResult> {
  const started = performance.now();
  let session = await openSession(options);
  refuse(session);
  let result: Pick<ConnectResult, 'context' | 'ports'> = { context: '', ports: [] };
  let changes = 0;
  const onChange: ConnectOptions['onChange'] = (change) => {
    changes += 1;
    options.onChange(change);
  };
  for (;;) {
    const { stack } = session;
    const forwards = forwardsOf(stack);
    result = { context: kubeTarget(stack).context, ports: forwards.map(portOf) };
    await whileOpen(stack, forwards, options, async (end) => {
      options.onOpen(result.context, result.ports);
      await Promise.race([followPods(stack, forwards, end, { ...options, onChange }), untilChanged(stack, forwards, options, end)]);
    });
    if (options.signal.aborted) break;
    session = await openSession(options);
    if (isOver(session)) {
      options.note('The stack is not on this cluster any more: the ports are closed.');
      break;
    }
    options.note('The stack has changed: its ports are opened anew.');
  }
  return { ...result, changes, seconds: Math.round((performance.now() - started) / 100) / 10 };
}

function refuse(session: Session): void {
  requireUp(session, 'Start it with `forge up --runtime kubernetes --context NAME`');
  const { stack } = session;
  const needless = stack.runtime !== 'kubernetes' || stack.config.kubernetes.access === 'direct';
  if (needless)
    throw usageError({
      code: 'CONNECT_NOT_NEEDED',
      message:
        stack.runtime === 'kubernetes'
          ? 'The ports are led into the cluster by other means (kubernetes.access: direct)'
          : `On the runtime ${stack.runtime} the addresses of the stack answer by themselves`,
      hint: '`forge urls` lists them',
    });
  const other = runningConnect(stack.workspace);
  if (other !== undefined)
    throw usageError({
      code: 'CONNECT_RUNS',
      message: `forge connect already runs for this workspace (process ${other.pid})`,
      hint: `Use its ports, or end it first: kill ${other.pid}`,
    });
}

const portOf = ({ name, port, to }: Forward): ConnectedPort => ({
  name,
  host: '127.0.0.1',
  port,
  namespace: to.namespace,
  service: to.service,
  servicePort: to.port,
});

async function whileOpen(
  stack: StackContext,
  forwards: Forward[],
  { signal }: ConnectOptions,
  use: (end: AbortSignal) => Promise<void>,
): Promise<void> {
  const target = kubeTarget(stack);
  const { workspace } = stack;
  const access = await leadPorts({ workspace, context: target.context, forwards, dial: await dialer(target), signal, isConnect: true });
  const end = new AbortController();
  try {
    await use(AbortSignal.any([signal, end.signal]));
  } finally {
    end.abort();
    await access.close();
  }
}
