import { stackCatalog, type LoadTableResult } from '../../../clients/iceberg.js';
import { Behind, type StackPlace } from '../../check.js';
import { connectStackS3 } from './storage.js';
import { requireRunning } from '../running.js';

/** The stack's tables as the catalog has them, by name; those that are not there are left out. Loaded once. */
export async function loadedTables(place: StackPlace): Promise<Map<string, LoadTableResult>> {
  await requireRunning(place, place.stack.catalog);
  return place.share('tables', async (signal) => {
    const { bucket } = place.stack.config.lake;
    // Without it the catalog tries for over a minute before it gives up.
    if (!(await (await connectStackS3({ ...place, signal })).headBucket(bucket)))
      throw new Behind('bucket-missing', `needs bucket ${bucket}, which is missing`);
    const catalog = stackCatalog(place.stack);
    const { tables } = place.pipeline;
    const loaded = await Promise.all(
      tables.map(async ({ namespace, name }) => [name, await catalog.loadTable(namespace, name, signal)] as const),
    );
    return new Map(loaded.flatMap(([name, table]) => (table === undefined ? [] : [[name, table] as const])));
  });
}

/** The snapshot that readers of a table see; undefined before the first commit. */
export const currentSnapshot = ({ metadata }: LoadTableResult) =>
  metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id']);
