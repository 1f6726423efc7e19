import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { postgresStore, targetFromEnv } from './postgres-store.js';
import { fakePolaris, listen } from './server.js';
import { newRealm } from './state.js';

const [, , program, ...args] = process.argv;
const { env } = process;
const fail = (text: string, code: number): never => {
  process.stderr.write(`${text}\n`);
  process.exit(code);
};

async function admin([command, option, file = '']: string[]): Promise<void> {
  if (command !== 'bootstrap') return fail('only bootstrap is here', 2);
  // The arguments of a process can be read by every user of the machine.
  if (option !== '--credentials-file' && option !== '-f') return fail('the credentials belong into a file', 2);
  const credentials = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { 'client-id': string; 'client-secret': string }>;
  for (const [realm, root] of Object.entries(credentials)) {
    const store = postgresStore(targetFromEnv(env), realm);
    if ((await store.load()) !== undefined) {
      process.stderr.write('java.lang.IllegalArgumentException: It appears this metastore manager has already been bootstrapped. ');
      return fail('To continue bootstrapping, please first purge the metastore with the `purge` command.', 3);
    }
    await store.save(newRealm(root['client-id'], root['client-secret']));
    process.stdout.write(`Realm '${realm}' successfully bootstrapped.\n`);
  }
  process.stdout.write('Bootstrap completed successfully.\n');
}

async function server(): Promise<void> {
  if (env['QUARKUS_HTTP_HOST'] !== '127.0.0.1' || env['QUARKUS_MANAGEMENT_HOST'] !== '127.0.0.1')
    return fail('a laptop listens on 127.0.0.1 only', 1);
  const realm = env['POLARIS_REALM_CONTEXT_REALMS'] ?? 'POLARIS';
  const store = postgresStore(targetFromEnv(env), realm);
  const tokenKey = env['POLARIS_AUTHENTICATION_TOKEN_BROKER_SYMMETRIC_KEY_SECRET'];
  const [id, secret] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']];
  // The real one asks STS for keys of an hour.
  const vends: Record<string, string> =
    id === undefined || secret === undefined ? {} : { 's3.access-key-id': id, 's3.secret-access-key': secret };
  const http = fakePolaris({ store, realm, vends, ...(tokenKey === undefined ? {} : { tokenKey }) });
  const health = createServer((request, response) => {
    const known = request.url?.startsWith('/q/health') === true;
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end(known ? '{"status":"UP","checks":[]}' : '');
  });
  await listen(http, Number(env['QUARKUS_HTTP_PORT']));
  await listen(health, Number(env['QUARKUS_MANAGEMENT_PORT']));
  process.stdout.write('Apache Polaris Server (fake) started\n');
  const stop = () => process.exit(143);
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

await (program === 'admin' ? admin(args) : server());
