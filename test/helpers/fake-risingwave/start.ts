import type { Socket } from 'node:net';
import type { Manners } from './execute.js';
import { fakeRisingWave, type FakeRisingWave } from './server.js';

export interface StartedRisingWave extends FakeRisingWave {
  port: number;
  stop(): Promise<void>;
}

/** A stand-in that runs in this process. */
export async function startFakeRisingWave(manners: Pick<Manners, 'views'> = {}): Promise<StartedRisingWave> {
  const fake = fakeRisingWave(manners);
  const sockets = new Set<Socket>();
  fake.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    fake.server.once('error', reject);
    fake.server.listen(0, '127.0.0.1', resolve);
  });
  const address = fake.server.address();
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return {
    ...fake,
    port: address.port,
    stop: () =>
      new Promise((resolve) => {
        fake.server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
