import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { waitUntil } from '../../src/clients/wait.js';
import { withPostgres } from '../../src/clients/postgresql.js';
import { Secret } from '../../src/workspace/secret.js';

const main = fileURLToPath(new URL('fake-risingwave/main.ts', import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** The stand-in of RisingWave, as a process. */
export interface RisingWaveServer {
  /** SQL behind forge's back. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

export async function startRisingWave(port: number): Promise<RisingWaveServer> {
  const child = spawn(process.execPath, ['--import', tsx, main, String(port)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const target = { host: '127.0.0.1', port, user: 'root', password: new Secret(''), database: 'dev' };
  const sql = (text: string): Promise<Record<string, unknown>[]> => withPostgres(target, (client) => client.query(text));
  const answers = (): Promise<boolean> =>
    sql('SELECT 1').then(
      () => true,
      () => false,
    );
  await waitUntil(answers, { what: 'the stand-in of RisingWave', timeoutMs: 30_000 });
  return {
    sql,
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
