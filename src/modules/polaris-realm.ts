import { z } from 'zod';
import { catalogBase, clientCredentials, POLARIS_REALM, REALM_HEADER } from '../clients/iceberg.js';
import { askForToken } from '../clients/oauth.js';
import { withPostgres, type PostgresClient } from '../clients/postgresql.js';
import { bootstrapRealm } from '../components/polaris/bootstrap.js';
import { CATALOG_DATABASE } from '../components/polaris/settings.js';
import { polarisHome, polarisJava } from '../components/polaris/polaris.js';
import { ForgeError, serverError } from '../errors.js';
import { isOnKubernetes } from '../workspace/context.js';
import { endpointOf } from './connect.js';
import { defineModule, type Observation, type TaskContext } from './contract.js';

const CREDENTIAL = 'polaris-root';
const FILE = `.forge/credentials/${CREDENTIAL}.json`;
const schema = z.strictObject({
  database: z.string().default(CATALOG_DATABASE).describe('Database that keeps it, of the user in catalog-db'),
});
type Args = z.output<typeof schema>;

const inDatabase = <T>({ database }: Args, context: TaskContext, use: (client: PostgresClient) => Promise<T>): Promise<T> => {
  const { host, port } = endpointOf(context, 'postgresql');
  const { username, password } = context.stack.credentials.get('catalog-db');
  if (username === undefined || password === undefined) throw new Error('the credential catalog-db has no username or no password');
  return withPostgres({ host, port, user: username.reveal(), password, database }, use, { signal: context.signal });
};

/** Client ids of the realm's principals, as Polaris keeps them; undefined when there is no realm. */
function realmClients(args: Args, context: TaskContext): Promise<string[] | undefined> {
  return inDatabase(args, context, async (client) => {
    const table = 'polaris_schema.principal_authentication_data';
    const [found] = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
    if (found?.found !== true) return undefined;
    const rows = await client.query<{ id: string }>(`SELECT principal_client_id AS id FROM ${table} WHERE realm_id = $1`, [POLARIS_REALM]);
    return rows.length === 0 ? undefined : rows.map(({ id }) => id);
  });
}

const drifted = (is: string): Observation => ({
  state: 'drifted',
  message: `the root credentials of Polaris' realm ${POLARIS_REALM} ${is}`,
  diff: [{ field: 'root credentials', is, should: `those in ${FILE}` }],
});

/** Whether the server takes the root credentials; undefined when it is not up, or has no realm to ask. */
async function serverTakes({ stack, signal }: TaskContext): Promise<boolean | undefined> {
  const url = `${catalogBase(stack)}/v1/oauth/tokens`;
  try {
    const credentials = () => clientCredentials(stack, CREDENTIAL);
    return (await askForToken({ url, credentials, headers: REALM_HEADER, from: FILE }, signal)) !== false;
  } catch (error) {
    if (error instanceof ForgeError && ['UNREACHABLE', 'CATALOG_TOKEN_FAILED'].includes(error.code)) return undefined;
    throw error;
  }
}

/**
 * Polaris' realm with its root user. Bootstrapped before the server starts, as newer versions want it, so that the
 * database is asked where the server is not up yet.
 */
export const polarisRealm = defineModule<Args>({
  name: 'polaris.realm',
  summary: "Polaris' realm with its root user, made by its admin tool with the credentials in .forge/credentials/polaris-root.json",
  schema,
  // On Kubernetes the image of the admin tool may have to be pulled.
  timeoutSeconds: 2400,
  async observe(args, context) {
    const taken = await serverTakes(context);
    if (taken === true) return { state: 'in-sync' };
    const clients = await realmClients(args, context);
    if (clients === undefined) return { state: 'missing', message: `Polaris has no realm ${POLARIS_REALM}` };
    const own = clientCredentials(context.stack, CREDENTIAL).clientId.reveal();
    if (!clients.includes(own)) return drifted('are others than the ones on file');
    return taken === false ? drifted('are not the secret on file') : { state: 'in-sync' };
  },
  async apply({ database }, observation, { stack, signal, progress }) {
    if (observation.state === 'drifted')
      throw serverError({
        code: 'POLARIS_ROOT_LOST',
        message: `${observation.message.replace(/^t/, 'T')}, and Polaris keeps only a hash of them`,
        hint: `Put the old ${FILE} back, or make the catalog anew, without its tables: \`forge catalog reset\`, then \`forge up\``,
      });
    if (isOnKubernetes(stack)) {
      const { bootstrapInCluster } = await import('../components/polaris/bootstrap-job.js');
      await bootstrapInCluster(stack, signal, progress);
    } else {
      progress('bin/admin makes the realm');
      await bootstrapRealm(stack, database, polarisHome(stack), await polarisJava(), signal);
    }
    return `Polaris had no realm ${POLARIS_REALM}; bootstrapped with the credentials in ${FILE}`;
  },
  async remove(args, context) {
    // bin/admin's purge would need a JVM for what is one statement in a database that is forge's own.
    await inDatabase(args, context, (client) => client.query('DROP SCHEMA IF EXISTS polaris_schema CASCADE'));
  },
});
