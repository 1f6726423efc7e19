import { z } from 'zod';
import { defineModule } from './contract.js';
import { applyObject, objectArgs, observeObject, removeNamed, statementOf } from './risingwave-object.js';

const schema = z.strictObject(objectArgs);

export const risingwaveSource = defineModule<z.output<typeof schema>>({
  name: 'risingwave.source',
  summary: 'A source of RisingWave: a Kafka topic as a relation',
  schema,
  timeoutSeconds: 60,
  observe: async (args, context) =>
    observeObject({ kind: 'source', name: args.name, statement: await statementOf('source', args, context) }, context),
  apply: async (args, _observation, context) =>
    applyObject({ kind: 'source', name: args.name, statement: await statementOf('source', args, context) }, context),
  remove: (args, context) => removeNamed('source', args, context),
});
