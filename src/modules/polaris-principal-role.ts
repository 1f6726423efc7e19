import { z } from 'zod';
import { stackPolaris } from '../clients/polaris.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({ name: z.string().min(1).max(256) });

/** A principal role in Polaris. */
export const polarisPrincipalRole = defineModule<z.output<typeof schema>>({
  name: 'polaris.principal-role',
  summary: 'A principal role in Polaris',
  schema,
  timeoutSeconds: 30,
  async observe({ name }, { stack, signal }) {
    const found = await stackPolaris(stack).hasPrincipalRole(name, signal);
    return found ? { state: 'in-sync' } : { state: 'missing', message: `principal role ${name} is missing` };
  },
  async apply({ name }, _, { stack, signal }) {
    await stackPolaris(stack).createPrincipalRole(name, signal);
    return `principal role ${name} was missing; created`;
  },
  async remove({ name }, { stack, signal }) {
    await stackPolaris(stack).deletePrincipalRole(name, signal);
  },
});
