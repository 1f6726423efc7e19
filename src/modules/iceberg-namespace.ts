import { z } from 'zod';
import { stackCatalog } from '../clients/iceberg.js';
import { defineModule } from './contract.js';
import { removeFromCatalog } from './iceberg-remove.js';

const schema = z.strictObject({
  name: z.string().regex(/^[^.\x1f]+$/, 'expected one level, without a dot'),
  properties: z.record(z.string(), z.string()).default({}),
});

/** A namespace of the stack's Iceberg catalog. Properties that others have set are left alone. */
export const icebergNamespace = defineModule<z.output<typeof schema>>({
  name: 'iceberg.namespace',
  summary: "A namespace of the stack's Iceberg catalog",
  schema,
  timeoutSeconds: 30,
  async observe({ name, properties }, { stack, signal }) {
    const is = await stackCatalog(stack).loadNamespace(name, signal);
    if (is === undefined) return { state: 'missing', message: `namespace ${name} is missing` };
    const diff = Object.entries(properties)
      .filter(([key, value]) => is[key] !== value)
      .map(([key, value]) => ({ field: `properties.${key}`, is: is[key] ?? '(none)', should: value }));
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: `namespace ${name} differs in ${diff.map(({ field }) => field).join(', ')}`, diff };
  },
  async apply({ name, properties }, observation, { stack, signal }) {
    const catalog = stackCatalog(stack);
    if (observation.state === 'missing') {
      await catalog.createNamespace(name, properties, signal);
      return `namespace ${name} was missing; created`;
    }
    await catalog.updateProperties(name, properties, [], signal);
    return `${observation.message}; set`;
  },
  async remove({ name }, { stack, signal }) {
    await removeFromCatalog(
      stack,
      (catalog) => catalog.dropNamespace(name, signal),
      async (catalog) => (await catalog.loadNamespace(name, signal)) !== undefined,
    );
  },
});
