import { z } from 'zod';
import { stackPolaris } from '../clients/polaris.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({ principal: z.string().min(1).max(256), role: z.string().min(1).max(256) });

/** That a principal has a principal role. Looks before it puts: Polaris before 1.6 answers 500 to a repeated assignment. */
export const polarisPrincipalRoleAssignment = defineModule<z.output<typeof schema>>({
  name: 'polaris.principal-role-assignment',
  summary: 'That a Polaris principal has a principal role',
  schema,
  timeoutSeconds: 30,
  async observe({ principal, role }, { stack, signal }) {
    const roles = await stackPolaris(stack).rolesOfPrincipal(principal, signal);
    return roles?.includes(role) ? { state: 'in-sync' } : { state: 'missing', message: `principal ${principal} lacks the role ${role}` };
  },
  async apply({ principal, role }, _, { stack, signal }) {
    const polaris = stackPolaris(stack);
    if (!(await polaris.rolesOfPrincipal(principal, signal))?.includes(role)) await polaris.assignPrincipalRole(principal, role, signal);
    return `principal ${principal} lacked the role ${role}; assigned`;
  },
  async remove({ principal, role }, { stack, signal }) {
    const polaris = stackPolaris(stack);
    if ((await polaris.rolesOfPrincipal(principal, signal))?.includes(role)) await polaris.revokePrincipalRole(principal, role, signal);
  },
});
