import { z } from 'zod';
import { stackCatalog } from '../clients/iceberg.js';
import { lackingError } from '../errors.js';
import { s3Of } from './connect.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({
  location: z.string().regex(/^s3:\/\/[^/]+\/.+[^/]$/, 'expected s3://BUCKET/FOLDER'),
});
const MARK = '.forge-warehouse';

const partsOf = (location: string): { bucket: string; key: string } => {
  const { hostname, pathname } = new URL(location);
  return { bucket: hostname, key: `${pathname.slice(1)}/${MARK}` };
};

/** The folder in which the Iceberg REST catalog keeps its tables: the catalog answers, and the folder can be written. */
export const catalogWarehouse = defineModule<z.output<typeof schema>>({
  name: 'catalog.warehouse',
  summary: 'The folder in which the Iceberg REST catalog keeps its tables',
  schema,
  timeoutSeconds: 30,
  async observe({ location }, context) {
    const catalog = stackCatalog(context.stack);
    const { defaults, overrides } = await catalog.config(context.signal);
    const served = overrides['warehouse'] ?? defaults['warehouse'];
    if (served !== undefined && served.replace(/\/$/, '') !== location)
      return { state: 'unknown', reason: `the catalog keeps its tables in ${served}, not in ${location}: it is another one` };
    await catalog.listNamespaces(context.signal);
    const { bucket, key } = partsOf(location);
    const marked = await (await s3Of(context)).headObject(bucket, key);
    return marked === undefined ? { state: 'missing', message: `warehouse ${location} is not there` } : { state: 'in-sync' };
  },
  async apply({ location }, _, context) {
    const s3 = await s3Of(context);
    const { bucket, key } = partsOf(location);
    if (!(await s3.headBucket(bucket)))
      throw lackingError({
        code: 'NO_WAREHOUSE_BUCKET',
        message: `The warehouse ${location} has no bucket`,
        hint: 'Run `forge up`, which creates it',
      });
    await s3.putObject(bucket, key, `The Iceberg catalog of forge workspace ${context.stack.workspace.id} keeps its tables here.\n`);
    return `warehouse ${location} was not there; made, and it can be written`;
  },
  async remove({ location }, context) {
    const { bucket, key } = partsOf(location);
    await (await s3Of(context)).deleteObject(bucket, key);
  },
});
