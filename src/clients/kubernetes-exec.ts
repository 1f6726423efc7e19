import { Readable, Writable } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import { unansweredError } from './kubernetes-error.js';
import type { ExecResult, PodRef } from './kubernetes-types.js';

/** The part of a WebSocket that is used here; the library's own types name a package that it does not bring. */
interface Socket {
  close(): void;
  on(event: 'close' | 'error', listener: (error: unknown) => void): void;
}

/** What the server tells when a command has ended. */
interface ExecStatus {
  status?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/** Runs a command in a container, without a shell of forge's own. */
export async function execInPod(
  config: KubeConfig,
  { namespace, pod, container }: PodRef,
  command: string[],
  { stdin, signal }: { stdin?: string; signal?: AbortSignal | undefined },
): Promise<ExecResult> {
  const { Exec } = await import('@kubernetes/client-node');
  const [stdout, stderr] = [new Collected(), new Collected()];
  const input = stdin === undefined ? null : Readable.from([stdin]);
  const server = new URL(config.getCurrentCluster()?.server ?? 'http://unknown').host;
  const doing = `running ${command[0] ?? 'a command'} in pod ${namespace}/${pod}`;
  signal?.throwIfAborted();
  let close = (): void => undefined;
  const onAbort = (): void => close();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      new Exec(config)
        .exec(namespace, pod, container ?? '', command, stdout, stderr, input, false, (status) => {
          const code = exitCodeOf(status);
          if (code === undefined) reject(unansweredError(server, doing, (status as ExecStatus).message ?? 'it failed'));
          else resolve(code);
        })
        .then((opened: unknown) => {
          const socket = opened as Socket;
          close = () => socket.close();
          socket.on('close', () => reject(unansweredError(server, doing, 'the connection ended before the command did')));
          socket.on('error', (error) => reject(unansweredError(server, doing, error)));
        })
        .catch((error: unknown) => reject(unansweredError(server, doing, error)));
    });
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    close();
  }
}

class Collected extends Writable {
  readonly #parts: Buffer[] = [];

  override _write(part: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#parts.push(part);
    done();
  }

  text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }
}

function exitCodeOf({ status, details }: ExecStatus): number | undefined {
  if (status === 'Success') return 0;
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  return code === undefined ? undefined : Number(code);
}
