import { createServer, type Server } from 'node:http';
import { fakePolaris, listen } from './server.js';
import { memoryStore, newRealm, newSecret, type RealmState, type Store } from './state.js';

/** A fake that runs in this process, with a bootstrapped realm in memory. */
export interface StartedPolaris {
  port: number;
  root: { clientId: string; clientSecret: string };
  store: Store & { state: RealmState | undefined };
  stop: () => Promise<void>;
}

const stopper = (server: Server) => (): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

export async function startFakePolaris(repeated: 500 | 201 = 500, vends: Record<string, string> = {}): Promise<StartedPolaris> {
  const root = { clientId: 'root', clientSecret: newSecret() };
  const store = memoryStore(newRealm(root.clientId, root.clientSecret));
  const server = fakePolaris({ store, repeated, vends });
  return { port: await listen(server), root, store, stop: stopper(server) };
}

/** A storage that has every bucket and every object: enough for modules that only look. */
export async function startFullStorage(): Promise<{ port: number; stop: () => Promise<void> }> {
  const server = createServer((_, response) => response.writeHead(200).end());
  return { port: await listen(server), stop: stopper(server) };
}
