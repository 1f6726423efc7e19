import { UP, type Check, type StackPlace, type Trouble } from '../../check.js';
import { requireInSync } from '../running.js';
import { connectStackS3 } from './storage.js';
import { currentSnapshot, loadedTables } from './loaded.js';

const REBUILT = '`forge up` makes the tables anew and reads the topic again';

/** Whether what the catalog's tables point at is in the bucket: the metadata file, and the list of the newest snapshot. */
export const tableObjects: Check = {
  id: 'table-objects',
  group: 'tables',
  title: 'The objects that the tables point at are in the bucket',
  needs: ['catalog-answers', 's3-answers'],
  seconds: 10,
  async look(place): Promise<Trouble[]> {
    // Both at once; a table whose metadata file is gone cannot be loaded, and then the tasks tell.
    const [tasks, looked] = await Promise.all([place.tasks(), goneObjects(place).catch((error: unknown) => ({ error }))]);
    const lost = tasks.filter(({ module, diff }) => module === 'iceberg.table' && diff.some(({ field }) => field === 'objects'));
    if (lost.length > 0)
      return [
        {
          component: 'localstack',
          title: `${lost.length === 1 ? 'A table points' : `${lost.length} tables point`} at objects that are gone from the bucket`,
          cause: `${lost.map(({ message }) => message).join('; ')} (LocalStack keeps its objects in memory: a restart loses them)`,
          remedy: REBUILT,
          fix: UP,
        },
      ];
    if ('error' in looked) throw looked.error;
    const { gone } = looked;
    if (gone.length === 0) return [];
    await requireInSync(place, {
      's3.bucket': 'bucket-missing',
      'catalog.warehouse': 'catalog-objects',
      'iceberg.namespace': 'catalog-objects',
    });
    const names = [...new Set(gone.map((text) => text.split(':')[0]!))];
    const { namespace } = place.pipeline.tables[0]!;
    return [
      {
        component: 'localstack',
        title: `${names.length === 1 ? `Table ${names[0]} points` : `${names.length} tables point`} at objects that are gone from the bucket`,
        cause: gone.join('; '),
        remedy: `It cannot be read any more: drop it (DELETE …/namespaces/${namespace}/tables/${names[0]}), then \`forge up\` makes it anew`,
      },
    ];
  },
};

async function goneObjects(place: StackPlace): Promise<{ gone: string[] }> {
  const s3 = await connectStackS3(place);
  const gone: string[] = [];
  const wanted = [...(await loadedTables(place))].flatMap(([name, table]) =>
    [table['metadata-location'], currentSnapshot(table)?.['manifest-list']].flatMap((address) => (address ? [{ name, address }] : [])),
  );
  await Promise.all(
    wanted.map(async ({ name, address }) => {
      const { host, pathname } = new URL(address);
      if ((await s3.headObject(host, decodeURIComponent(pathname.slice(1)))) === undefined) gone.push(`${name}: ${address}`);
    }),
  );
  return { gone: gone.sort() };
}
