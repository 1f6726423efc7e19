import { join } from 'node:path';
import type { Probe, ProcessSpec } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir, fingerprintOf, portOf, renderFile, type Component, type ProcessPart } from '../component.js';
import { prepareDatabase } from './initdb.js';
import { quantity } from '../size.js';
import { homeOf, outsideHome, runAs } from './place.js';

const name = 'postgresql';

/** Logs in as its superuser and asks for an answer. */
function probe(context: StackContext): Probe {
  const port = portOf(context, name);
  return {
    description: `PostgreSQL answers on 127.0.0.1:${port}`,
    async check(signal) {
      const [{ withPostgres }, { username, password }] = [await import('../../clients/postgresql.js'), context.credentials.get(name)];
      if (username === undefined || password === undefined) return false;
      const target = { host: '127.0.0.1', port, user: username.reveal(), password, database: 'postgres' };
      return withPostgres(target, async (client) => (await client.query('SELECT 1')).length === 1, { signal, connectTimeoutMs: 2500 });
    },
  };
}

/** As PostgreSQL writes a size. */
const sharedBuffers = ({ config }: StackContext): string =>
  config.components.postgresql.sharedBuffers.replace(/([kmg])$/i, (unit) => ({ k: 'kB', m: 'MB', g: 'GB' })[unit.toLowerCase()] ?? unit);

const settings = (context: StackContext): Promise<string> =>
  renderFile(context, 'postgresql/postgresql.conf', {
    port: portOf(context, name),
    sharedBuffers: sharedBuffers(context),
  });

const asProcess: ProcessPart = {
  names: [name],
  async specs(context, packages): Promise<ProcessSpec[]> {
    const home = homeOf(context, packages.dir('postgresql'));
    const command = join(home.binaries, 'bin', 'postgres');
    const args = ['-D', home.data, '-c', `config_file=${join(home.data, 'forge.conf')}`];
    const env = { HOME: home.data, LC_ALL: 'C' };
    const user = runAs();
    return [
      {
        component: name,
        name,
        command,
        args,
        env,
        cwd: home.data,
        ports: [name],
        ready: probe(context),
        readySeconds: 60,
        // SIGINT: ends the sessions and shuts down cleanly; SIGTERM would wait for the clients to go.
        stop: { signal: 'SIGINT', seconds: 20 },
        fingerprint: fingerprintOf({ command, args, env }, [await settings(context)], Object.values(context.credentials.get(name))),
        ...(user === undefined ? {} : { user }),
      },
    ];
  },
  async prepare(context, packages, _process, signal) {
    await prepareDatabase(context, homeOf(context, packages.dir('postgresql')), await settings(context), signal);
  },
  dataDirs: (context) => [dataDir(context, name), ...outsideHome(context)],
};

/** PostgreSQL: the catalog's memory, and the current values of the views. */
export const postgresql: Component = {
  name,
  endpoint: name,
  probe,
  process: asProcess,
  kubernetes: {
    namespace: 'postgresql',
    workloads: [{ kind: 'StatefulSet', name: 'postgresql' }],
    images: ['postgresql'],
    values: (context) => ({
      sharedBuffers: sharedBuffers(context),
      request: quantity(context.config.components.postgresql.sharedBuffers, 32),
      limit: quantity(context.config.components.postgresql.sharedBuffers, 224),
    }),
  },
};
