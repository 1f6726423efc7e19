import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface KafkaProxy {
  bootstrap: string;
  /** Cuts every connection and refuses new ones until `resume`. */
  stop(): Promise<void>;
  resume(): Promise<void>;
  /** Called with every chunk that a client sends, before it is passed on. */
  onRequest: (bytes: Buffer) => void;
  /** Called with every chunk of an answer; `false` keeps it from the client. */
  onAnswer: (bytes: Buffer) => boolean;
  close(): Promise<void>;
}

/**
 * A way to a broker that can fail. The broker tells its clients its own address; here the answer is changed, so that they
 * come back to the proxy, or go to `advertisedPort`.
 */
export async function kafkaProxy(broker: { host: string; port: number }, advertisedPort?: number): Promise<KafkaProxy> {
  const sockets = new Set<Socket>();
  const address = (port: number) => {
    const bytes = Buffer.alloc(broker.host.length + 4);
    bytes.write(broker.host);
    bytes.writeInt32BE(port, broker.host.length);
    return bytes;
  };
  const server = createServer((client) => {
    const upstream = connect(broker.port, broker.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    client.on('data', (bytes) => {
      proxy.onRequest(bytes);
      if (!upstream.destroyed) upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (!proxy.onAnswer(bytes)) return;
      for (let at = bytes.indexOf(address(broker.port)); at >= 0; at = bytes.indexOf(address(broker.port), at))
        address(advertisedPort ?? port).copy(bytes, at);
      if (!client.destroyed) client.write(bytes);
    });
  });
  let port = 0;
  const listen = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen();
  port = (server.address() as AddressInfo).port;
  const proxy: KafkaProxy = {
    bootstrap: `127.0.0.1:${port}`,
    onRequest: () => {},
    onAnswer: () => true,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    resume: listen,
    close: async () => {
      if (server.listening) await proxy.stop();
    },
  };
  return proxy;
}
