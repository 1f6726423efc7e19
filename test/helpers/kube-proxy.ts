import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { parse, stringify } from 'yaml';

/** A way to an API server that can fall silent or be cut. */
export interface KubeProxy {
  port: number;
  /** Connections that are open now give nothing more from here on, and do not end either; new ones are not touched. */
  stall(): void;
  /** Cuts what is open and takes nothing new. */
  shut(): Promise<void>;
  open(): Promise<void>;
  /** Connections that were made so far. */
  made(): number;
  close(): Promise<void>;
}

/** Bytes pass as they are: TLS ends at the API server. */
export async function kubeProxy(to: number): Promise<KubeProxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let made = 0;
  const make = () =>
    createServer((client) => {
      made++;
      const pair = { client, server: connect(to, '127.0.0.1') };
      pairs.add(pair);
      client.pipe(pair.server).pipe(client);
      const end = (): void => {
        pairs.delete(pair);
        client.destroy();
        pair.server.destroy();
      };
      for (const socket of [client, pair.server]) socket.on('error', end).on('close', end);
    });
  let server = make();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const shut = async (): Promise<void> => {
    const closed = new Promise((done) => server.close(done));
    for (const { client, server: behind } of pairs) for (const socket of [client, behind]) socket.destroy();
    await closed;
  };
  return {
    port,
    made: () => made,
    stall() {
      for (const { client, server: behind } of pairs) {
        behind.unpipe(client);
        behind.resume();
      }
    },
    shut,
    async open() {
      server = make();
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    close: shut,
  };
}

/** The port of the first cluster of a kubeconfig. */
export function apiPort(kubeconfig: string): number {
  const { clusters } = parse(readFileSync(kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  return Number(new URL(clusters[0]!.cluster.server).port);
}

/** The same kubeconfig with another port of the API server. */
export function withApiPort(kubeconfig: string, port: number, to: string): string {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  config.clusters[0]!.cluster.server = `https://127.0.0.1:${port}`;
  writeFileSync(to, stringify(config), { mode: 0o600 });
  return to;
}
