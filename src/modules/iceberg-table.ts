import { catalogBase, stackCatalog, type LoadTableResult } from '../clients/iceberg.js';
import { ForgeError, serverError } from '../errors.js';
import { s3Of } from './connect.js';
import { defineModule, type Observation, type TaskContext } from './contract.js';
import { removeFromCatalog } from './iceberg-remove.js';
import { createRequest, planTable, requirements, tableSchema, type TableArgs } from './iceberg-table-shape.js';

const LOST = 'objects';

type Seen = { kind: 'none' } | { kind: 'lost'; where: string } | { kind: 'table'; loaded: LoadTableResult };

/**
 * Loads the table and tells "its objects are gone" from "the catalog cannot read right now": the first only when the
 * storage itself says so. Without its bucket the catalog tries for over a minute before it gives up, so that is asked first.
 */
async function look({ namespace, name }: TableArgs, context: TaskContext): Promise<Seen> {
  const { stack, signal } = context;
  const catalog = stackCatalog(stack);
  const s3 = await s3Of(context);
  const { bucket } = stack.config.lake;
  if (!(await s3.headBucket(bucket))) {
    const listed = (await catalog.listTables(namespace, signal))?.includes(name) ?? false;
    return listed ? { kind: 'lost', where: `s3://${bucket}` } : { kind: 'none' };
  }
  try {
    const loaded = await catalog.loadTable(namespace, name, signal);
    return loaded === undefined ? { kind: 'none' } : { kind: 'table', loaded };
  } catch (error) {
    if (!(error instanceof ForgeError) || error.code !== 'TABLE_UNREADABLE') throw error;
    const [where, owner, key] = /s3:\/\/([^/\s]+)\/(\S+\.metadata\.json)/.exec(error.message) ?? [];
    if (where === undefined || owner === undefined || key === undefined) throw error;
    if ((await s3.headObject(owner, key)) !== undefined) throw error;
    return { kind: 'lost', where };
  }
}

/** A table of the stack's Iceberg catalog, format version 2, with its partition spec and sort order. */
export const icebergTable = defineModule<TableArgs>({
  name: 'iceberg.table',
  summary: "A table of the stack's Iceberg catalog, with partition spec and sort order",
  schema: tableSchema,
  timeoutSeconds: 60,
  async observe(args, context): Promise<Observation> {
    const seen = await look(args, context);
    const table = `${args.namespace}.${args.name}`;
    if (seen.kind === 'none') return { state: 'missing', message: `table ${table} is missing` };
    if (seen.kind === 'lost') {
      const is = `gone from ${seen.where}`;
      return { state: 'drifted', message: `table ${table}: its objects are ${is}`, diff: [{ field: LOST, is, should: 'present' }] };
    }
    const { diff } = planTable(args, seen.loaded);
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: `table ${table} differs in ${diff.map(({ field }) => field).join(', ')}`, diff };
  },
  async apply(args, observation, context) {
    const { stack, signal } = context;
    const { namespace, name } = args;
    const table = `${namespace}.${name}`;
    const catalog = stackCatalog(stack);
    if (observation.state === 'missing') {
      await catalog.createTable(namespace, createRequest(args), signal);
      return `table ${table} was missing; created`;
    }
    const seen = await look(args, context);
    if (seen.kind === 'lost') {
      await catalog.dropTable(namespace, name, { signal });
      await catalog.createTable(namespace, createRequest(args), signal);
      return `table ${table}: its objects were gone from ${seen.where}; dropped it from the catalog and created it anew, empty`;
    }
    if (seen.kind === 'none') {
      await catalog.createTable(namespace, createRequest(args), signal);
      return `table ${table} went away meanwhile; created`;
    }
    const { updates, impossible } = planTable(args, seen.loaded);
    if (impossible.length > 0) {
      throw serverError({
        code: 'TABLE_INCOMPATIBLE',
        message: `Table ${table} cannot be changed without losing rows: ${impossible.join('; ')}`,
        hint: `Keep its rows elsewhere, drop it (DELETE ${catalogBase(stack)}/v1/…/namespaces/${namespace}/tables/${name}), and run \`forge up\``,
      });
    }
    await catalog.commitTable(namespace, name, requirements(seen.loaded), updates, signal);
    return `${observation.message}; changed`;
  },
  async remove({ namespace, name }, { stack, signal }) {
    await removeFromCatalog(
      stack,
      (catalog) => catalog.dropTable(namespace, name, { signal }),
      async (catalog) => (await catalog.listTables(namespace, signal))?.includes(name) ?? false,
    );
  },
});
