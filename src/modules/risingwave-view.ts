import { z } from 'zod';
import { createObject } from '../engines/risingwave/change.js';
import { defineModule, type TaskContext } from './contract.js';
import { applyObject, objectArgs, observeObject, removeNamed, statementOf } from './risingwave-object.js';

const kind = 'materialized view';
const schema = z.strictObject({
  ...objectArgs,
  columns: z.array(z.string().min(1)).min(1).describe('Names of its columns, for `forge verify`'),
});
type Args = z.output<typeof schema>;

const wanted = async (args: Args, context: TaskContext) =>
  ({ kind, name: args.name, statement: await statementOf(kind, args, context) }) as const;

export const risingwaveView = defineModule<Args>({
  name: 'risingwave.view',
  summary: 'A materialized view of RisingWave, kept up to date as events come',
  schema,
  timeoutSeconds: 180,
  observe: async (args, context) => observeObject(await wanted(args, context), context),
  apply: async (args, _observation, context) => {
    const view = await wanted(args, context);
    return applyObject(view, context, async (client) => {
      await createObject(client, view);
      return ', it counts the topic from its start';
    });
  },
  remove: (args, context) => removeNamed(kind, args, context),
});
