import { z } from 'zod';
import { stackPolaris } from '../clients/polaris.js';
import { defineModule } from './contract.js';

const name = z.string().min(1).max(256);
const schema = z.strictObject({ catalog: name, catalogRole: name, privilege: z.string().regex(/^[A-Z_]+$/) });

/** A privilege of a catalog role on the whole catalog. Looks before it puts: a repeated grant is 500 before Polaris 1.6. */
export const polarisGrant = defineModule<z.output<typeof schema>>({
  name: 'polaris.grant',
  summary: 'A privilege of a Polaris catalog role on the whole catalog',
  schema,
  timeoutSeconds: 30,
  async observe({ catalog, catalogRole, privilege }, { stack, signal }) {
    const grants = await stackPolaris(stack).grants(catalog, catalogRole, signal);
    return grants?.includes(privilege)
      ? { state: 'in-sync' }
      : { state: 'missing', message: `catalog role ${catalogRole} of ${catalog} lacks ${privilege}` };
  },
  async apply({ catalog, catalogRole, privilege }, _, { stack, signal }) {
    const polaris = stackPolaris(stack);
    const grants = await polaris.grants(catalog, catalogRole, signal);
    if (!grants?.includes(privilege)) await polaris.grant(catalog, catalogRole, privilege, signal);
    return `catalog role ${catalogRole} of ${catalog} lacked ${privilege}; granted`;
  },
  async remove({ catalog, catalogRole, privilege }, { stack, signal }) {
    const polaris = stackPolaris(stack);
    const grants = await polaris.grants(catalog, catalogRole, signal);
    if (grants?.includes(privilege)) await polaris.revoke(catalog, catalogRole, privilege, signal);
  },
});
