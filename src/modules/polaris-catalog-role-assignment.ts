import { z } from 'zod';
import { stackPolaris } from '../clients/polaris.js';
import { defineModule } from './contract.js';

const name = z.string().min(1).max(256);
const schema = z.strictObject({ role: name, catalog: name, catalogRole: name });

/** That a principal role has a catalog role. Looks before it puts, as for principal roles. */
export const polarisCatalogRoleAssignment = defineModule<z.output<typeof schema>>({
  name: 'polaris.catalog-role-assignment',
  summary: 'That a Polaris principal role has a catalog role',
  schema,
  timeoutSeconds: 30,
  async observe({ role, catalog, catalogRole }, { stack, signal }) {
    const roles = await stackPolaris(stack).catalogRolesOfRole(role, catalog, signal);
    return roles?.includes(catalogRole)
      ? { state: 'in-sync' }
      : { state: 'missing', message: `principal role ${role} lacks the catalog role ${catalogRole} of ${catalog}` };
  },
  async apply({ role, catalog, catalogRole }, _, { stack, signal }) {
    const polaris = stackPolaris(stack);
    const roles = await polaris.catalogRolesOfRole(role, catalog, signal);
    if (!roles?.includes(catalogRole)) await polaris.assignCatalogRole(role, catalog, catalogRole, signal);
    return `principal role ${role} lacked the catalog role ${catalogRole} of ${catalog}; assigned`;
  },
  async remove({ role, catalog, catalogRole }, { stack, signal }) {
    const polaris = stackPolaris(stack);
    const roles = await polaris.catalogRolesOfRole(role, catalog, signal);
    if (roles?.includes(catalogRole)) await polaris.revokeCatalogRole(role, catalog, catalogRole, signal);
  },
});
