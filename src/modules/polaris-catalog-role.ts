import { z } from 'zod';
import { stackPolaris } from '../clients/polaris.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({ catalog: z.string().min(1).max(256), name: z.string().min(1).max(256) });

/** A role of one Polaris catalog. */
export const polarisCatalogRole = defineModule<z.output<typeof schema>>({
  name: 'polaris.catalog-role',
  summary: 'A role of one Polaris catalog',
  schema,
  timeoutSeconds: 30,
  async observe({ catalog, name }, { stack, signal }) {
    const found = await stackPolaris(stack).hasCatalogRole(catalog, name, signal);
    return found ? { state: 'in-sync' } : { state: 'missing', message: `catalog role ${name} of ${catalog} is missing` };
  },
  async apply({ catalog, name }, _, { stack, signal }) {
    await stackPolaris(stack).createCatalogRole(catalog, name, signal);
    return `catalog role ${name} of ${catalog} was missing; created`;
  },
  async remove({ catalog, name }, { stack, signal }) {
    await stackPolaris(stack).deleteCatalogRole(catalog, name, signal);
  },
});
