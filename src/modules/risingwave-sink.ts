import { z } from 'zod';
import { stackCatalog, tableFacts, type LoadTableResult } from '../clients/iceberg.js';
import { createObject } from '../engines/risingwave/change.js';
import type { WantedObject } from '../engines/risingwave/objects.js';
import { latestTime } from '../engines/risingwave/resume.js';
import { startingAt } from '../engines/risingwave/statements.js';
import { serverError } from '../errors.js';
import { s3Of } from './connect.js';
import { defineModule, type TaskContext } from './contract.js';
import { applyObject, objectArgs, observeObject, removeNamed, statementOf } from './risingwave-object.js';

const schema = z.strictObject({
  ...objectArgs,
  namespace: z.string().min(1).describe('Iceberg namespace of the table'),
  table: z.string().min(1).describe('Iceberg table that it writes'),
  windowEnd: z
    .string()
    .optional()
    .describe('For windows that are appended once: the column with their end, so that a sink that is made again goes on behind the last'),
});
type Args = z.output<typeof schema>;

interface Wanted extends WantedObject {
  loaded: LoadTableResult | undefined;
}

async function wantedSink(args: Args, context: TaskContext): Promise<Wanted> {
  const { stack, signal } = context;
  const statement = await statementOf('sink', args, context);
  const loaded = await stackCatalog(stack).loadTable(args.namespace, args.table, signal);
  return { kind: 'sink', name: args.name, statement, loaded, target: loaded === undefined ? undefined : tableFacts(loaded).uuid };
}

/** The end of the last window that the table holds. */
async function lastWindow({ windowEnd }: Args, { loaded }: Wanted, context: TaskContext): Promise<Date | undefined> {
  if (windowEnd === undefined || loaded === undefined) return undefined;
  const s3 = await s3Of(context);
  return latestTime(loaded, windowEnd, async (address) => {
    const { host, pathname } = new URL(address);
    const bytes = await s3.getObject(host, decodeURIComponent(pathname.slice(1)));
    if (bytes !== undefined) return bytes;
    throw serverError({ code: 'OBJECT_GONE', message: `A table points at ${address}, which is gone`, hint: 'Run `forge up` again' });
  });
}

export const risingwaveSink = defineModule<Args>({
  name: 'risingwave.sink',
  summary: 'A sink of RisingWave that appends to an Iceberg table; made again when the table is a new one, or its credentials are',
  schema,
  timeoutSeconds: 180,
  observe: async (args, context) => observeObject(await wantedSink(args, context), context),

  async apply(args, _observation, context) {
    const wanted = await wantedSink(args, context);
    if (wanted.loaded === undefined)
      throw serverError({
        code: 'TABLE_MISSING',
        message: `Sink ${args.name} needs the Iceberg table ${args.namespace}.${args.table}, which is not there`,
        hint: 'The task that makes it has to come first (needs)',
      });
    return applyObject(wanted, context, async (client) => {
      // Looked at again, now that the sink is gone: it may have written until then.
      const since = await lastWindow(args, await wantedSink(args, context), context);
      await createObject(client, wanted, since === undefined ? wanted.statement : startingAt(wanted.statement, since));
      return since === undefined ? '' : `, it goes on with the windows after ${since.toISOString()}`;
    });
  },

  remove: (args, context) => removeNamed('sink', args, context),
});
