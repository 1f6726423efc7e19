import { z } from 'zod';
import { stackCatalog } from '../clients/iceberg.js';
import { stackPolaris, type PolarisCatalog } from '../clients/polaris.js';
import { serverError } from '../errors.js';
import type { StackContext } from '../workspace/context.js';
import { endpointOf } from './connect.js';
import { defineModule, type Difference, type TaskContext } from './contract.js';

const schema = z.strictObject({
  name: z.string().min(1).max(256),
  bucket: z.string().min(3),
  roleArn: z.string().default('arn:aws:iam::000000000000:role/forge-catalog').describe('Role whose keys Polaris hands to its clients'),
  properties: z.record(z.string(), z.string()).default({}),
});
type Args = z.output<typeof schema>;
const BASE = 'default-base-location';

function desiredOf({ name, bucket, roleArn, properties }: Args, context: TaskContext): PolarisCatalog {
  const s3 = endpointOf(context, 'localstack');
  const location = `s3://${bucket}/warehouse`;
  // Polaris tells it to every client with each table, and there it counts more than what the client was given. So it may be said
  // only where all of them see the storage at the same address: else servers in the cluster are sent to their own loopback.
  const endpoint = s3.url === s3.inside.url ? { endpoint: s3.url } : {};
  return {
    name,
    type: 'INTERNAL',
    properties: { ...properties, [BASE]: location },
    storageConfigInfo: {
      storageType: 'S3',
      allowedLocations: [location],
      roleArn,
      region: context.stack.config.lake.region,
      ...endpoint,
      endpointInternal: s3.inside.url,
      stsEndpoint: s3.inside.url,
      pathStyleAccess: true,
    },
  };
}

const folder = (location: string): string => `${location.replace(/[/*]+$/, '')}/`;
const covers = (allowed: string[], location: string): boolean => allowed.some((at) => folder(location).startsWith(folder(at)));

function differences(is: PolarisCatalog, should: PolarisCatalog): Difference[] {
  const diff: Difference[] = [];
  const compare = (field: string, have: string | boolean | undefined, want: string | boolean) => {
    if (String(have ?? '') !== String(want)) diff.push({ field, is: String(have ?? '(none)'), should: String(want) });
  };
  for (const [name, value] of Object.entries(should.properties)) compare(`properties.${name}`, is.properties[name], value);
  const { allowedLocations = [], ...storage } = should.storageConfigInfo;
  for (const [name, value] of Object.entries(storage))
    compare(`storage.${name}`, is.storageConfigInfo[name as keyof typeof storage], value);
  if (storage.endpoint === undefined && is.storageConfigInfo.endpoint)
    diff.push({ field: 'storage.endpoint', is: is.storageConfigInfo.endpoint, should: '(none)' });
  const allowed = is.storageConfigInfo.allowedLocations ?? [];
  if (!allowedLocations.every((location) => covers(allowed, location)))
    diff.push({ field: 'storage.allowedLocations', is: allowed.join(', ') || '(none)', should: allowedLocations.join(', ') });
  return diff;
}

/** Tables would stay behind at the old place: only an empty catalog may move. */
async function refuseToOrphan(is: PolarisCatalog, should: PolarisCatalog, stack: StackContext, signal: AbortSignal): Promise<void> {
  const old = is.properties[BASE] ?? '';
  const next = should.properties[BASE] ?? '';
  if (folder(old) === folder(next)) return;
  const namespaces = await stackCatalog(stack, 'root', is.name).listNamespaces(signal);
  if (namespaces.length === 0) return;
  throw serverError({
    code: 'CATALOG_WOULD_MOVE',
    message: `Catalog ${is.name} keeps ${namespaces.length === 1 ? 'a namespace' : `${namespaces.length} namespaces`} (${namespaces.join(', ')}) in ${old}, and ${next} is wanted: its tables would be left behind`,
    hint: 'Put lake.bucket in forge.yaml back, choose another lake.catalog, or run `forge down` first, which removes the tables',
  });
}

/** A catalog in Polaris on a bucket of the stack's S3. */
export const polarisCatalog = defineModule<Args>({
  name: 'polaris.catalog',
  summary: "A catalog in Polaris on a bucket of the stack's S3",
  schema,
  timeoutSeconds: 60,
  async observe(args, context) {
    const { stack, signal } = context;
    const is = await stackPolaris(stack).getCatalog(args.name, signal);
    if (is === undefined) return { state: 'missing', message: `catalog ${args.name} is missing` };
    const diff = differences(is, desiredOf(args, context));
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: `catalog ${args.name} differs in ${diff.map(({ field }) => field).join(', ')}`, diff };
  },
  async apply(args, observation, context) {
    const { stack, signal } = context;
    const polaris = stackPolaris(stack);
    const should = desiredOf(args, context);
    if (observation.state === 'missing') {
      await polaris.createCatalog(should, signal);
      return `catalog ${args.name} was missing; created on ${should.properties[BASE]}`;
    }
    const is = await polaris.getCatalog(args.name, signal);
    if (is === undefined) {
      await polaris.createCatalog(should, signal);
      return `catalog ${args.name} went away meanwhile; created`;
    }
    await refuseToOrphan(is, should, stack, signal);
    const moved = folder(is.properties[BASE] ?? '') !== folder(should.properties[BASE] ?? '');
    const kept = moved ? [] : (is.storageConfigInfo.allowedLocations ?? []);
    const added = (should.storageConfigInfo.allowedLocations ?? []).filter((location) => !covers(kept, location));
    const { endpoint: _, ...before } = is.storageConfigInfo;
    const storageConfigInfo = { ...before, ...should.storageConfigInfo, allowedLocations: [...kept, ...added] };
    await polaris.updateCatalog({ ...is, properties: { ...is.properties, ...should.properties }, storageConfigInfo }, signal);
    return `${observation.message}; put right`;
  },
  async remove({ name }, { stack, signal }) {
    await stackPolaris(stack).deleteCatalog(name, signal);
  },
});
