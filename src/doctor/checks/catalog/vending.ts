import { stackCatalog, type LoadTableResult } from '../../../clients/iceberg.js';
import { connectS3 } from '../../../clients/s3.js';
import { messageOf } from '../../../errors.js';
import { Secret } from '../../../workspace/secret.js';
import { Behind, type Check, type Trouble } from '../../check.js';
import { requireRunning } from '../running.js';
import { onPolaris } from './token.js';

const WITHOUT = 'clients that want none send an empty header X-Iceberg-Access-Delegation';

/** Whether the keys that Polaris hands to its clients open what they are for. forge's own engines use the stack's keys. */
export const catalogVending: Check = {
  id: 'catalog-vending',
  group: 'catalog',
  severity: 'warning',
  title: 'Keys that the catalog hands out open its tables',
  needs: ['catalog-objects', 's3-answers'],
  concerns: (place) => onPolaris(place) && place.pipeline.tables.length > 0,
  async look(place): Promise<Trouble[]> {
    const { stack, signal } = place;
    await requireRunning(place, 'localstack');
    const table = place.pipeline.tables[0]!;
    const trouble = (title: string, cause: string, remedy: string): Trouble[] => [{ component: 'polaris', title, cause, remedy }];
    let loaded: LoadTableResult | undefined;
    try {
      loaded = await stackCatalog(stack).loadTable(table.namespace, table.name, signal, { vended: true });
    } catch (error) {
      signal.throwIfAborted();
      // What cannot be loaded at all is a finding of its own.
      await stackCatalog(stack).loadTable(table.namespace, table.name, signal);
      return trouble(
        'Polaris hands out no keys for its tables',
        messageOf(error),
        `LocalStack has to serve STS (SERVICES=s3,sts), and the catalog needs roleArn and stsEndpoint: \`forge up\`; ${WITHOUT}`,
      );
    }
    if (loaded === undefined) throw new Behind('table-missing', `needs table ${table.name}, which is missing`);
    const { config = {}, 'metadata-location': location } = loaded;
    const [id, secret, token] = ['s3.access-key-id', 's3.secret-access-key', 's3.session-token'].map((key) => config[key]);
    if (id === undefined || secret === undefined)
      return trouble(
        'Polaris hands out no keys for its tables',
        `Table ${table.name} was loaded with X-Iceberg-Access-Delegation: vended-credentials, and the answer has none (stsUnavailable?)`,
        `\`forge up\` puts the catalog's storage right; ${WITHOUT}`,
      );
    if (!location) throw new Error(`the catalog does not tell where table ${table.name} is`);
    const url = config['s3.endpoint'] ?? stack.endpoints['localstack']!.url;
    const region = config['client.region'] ?? stack.config.lake.region;
    const keys = {
      accessKeyId: new Secret(id),
      secretAccessKey: new Secret(secret),
      ...(token === undefined ? {} : { sessionToken: new Secret(token) }),
    };
    const { host: bucket, pathname } = new URL(location);
    const closed = (cause: string): Trouble[] =>
      trouble(
        'Keys that Polaris hands out do not open its tables',
        cause,
        `Compare the catalog's storage (endpoint, roleArn, region): \`forge up --check --diff\`; ${WITHOUT}`,
      );
    try {
      const s3 = await connectS3({ url, region, ...keys }, { signal, timeoutMs: 3000 });
      const found = await s3.headObject(bucket, decodeURIComponent(pathname.slice(1)));
      return found === undefined ? closed(`${location} is not there at ${url}, where they lead`) : [];
    } catch (error) {
      signal.throwIfAborted();
      return closed(`${location} at ${url}: ${messageOf(error)}`);
    }
  },
};
