import { stackCatalog } from '../../../clients/iceberg.js';
import { describeDifference } from '../../../modules/contract.js';
import { Behind, UP, type Check, type StackPlace, type Trouble } from '../../check.js';
import { requireInSync } from '../running.js';

/** What each part of Polaris' storageConfigInfo does to those who use the catalog. */
const MEANING: Record<string, string> = {
  'properties.default-base-location': 'new tables are put there',
  'storage.allowedLocations': 'a table elsewhere is refused',
  'storage.endpoint': 'clients of this machine are sent there',
  'storage.endpointInternal': 'Polaris itself reads and writes there',
  'storage.stsEndpoint': 'Polaris asks for vended keys there',
  'storage.pathStyleAccess': 'without it the bucket is looked for as a host name',
  'storage.region': 'requests are signed for it',
  'storage.roleArn': 'vended keys are asked for with it',
};

/** Whether the catalog keeps its tables where the stack has its bucket. */
export const catalogStorage: Check = {
  id: 'catalog-storage',
  group: 'catalog',
  title: "The catalog's storage is the stack's bucket",
  needs: ['catalog-answers', 'catalog-token'],
  seconds: 10,
  look: (place) => (place.stack.catalog === 'polaris' ? ofPolaris(place) : ofWarehouse(place)),
};

async function ofPolaris(place: StackPlace): Promise<Trouble[]> {
  const task = (await place.tasks()).find(({ module }) => module === 'polaris.catalog');
  if (task === undefined) throw new Error('the stack has no task that tells of the catalog');
  if (task.state === 'missing') throw new Behind('catalog-objects', `needs ${task.id}, which is missing`);
  if (task.state === 'unknown') {
    await requireInSync(place, { 's3.bucket': 'bucket-missing' });
    throw new Error(`${task.id} could not be seen: ${task.message}`);
  }
  const diff = task.diff.filter(({ field }) => field in MEANING);
  if (diff.length === 0) return [];
  return [
    {
      component: 'polaris',
      title: `Catalog ${place.stack.config.lake.catalog} has another storage than the stack's bucket`,
      cause: diff.map((one) => `${describeDifference(one)} (${MEANING[one.field]})`).join('; '),
      remedy: '`forge up` puts it right; it refuses where tables would be left behind',
      fix: UP,
    },
  ];
}

async function ofWarehouse({ stack, signal }: StackPlace): Promise<Trouble[]> {
  const { defaults, overrides } = await stackCatalog(stack).config(signal);
  const served = (overrides['warehouse'] ?? defaults['warehouse'])?.replace(/\/$/, '');
  const own = `s3://${stack.config.lake.bucket}/warehouse`;
  if (served === undefined || served === own) return [];
  return [
    {
      component: stack.catalog,
      title: `The catalog keeps its tables in ${served}, not in the stack's bucket`,
      cause: `Its warehouse should be ${own}: it was started with other settings, or is another catalog`,
      remedy: '`forge status` tells whose server it is; end a stranger, then `forge up`',
    },
  ];
}
