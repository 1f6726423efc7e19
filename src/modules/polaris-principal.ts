import { z } from 'zod';
import { askForToken } from '../clients/oauth.js';
import { stackPolaris, type NewCredentials } from '../clients/polaris.js';
import { catalogBase, clientCredentials, REALM_HEADER } from '../clients/iceberg.js';
import { defineModule, type TaskContext } from './contract.js';

const CREDENTIAL = 'polaris-principal';
const FILE = `.forge/credentials/${CREDENTIAL}.json`;
const schema = z.strictObject({ name: z.string().min(1).max(256) });

const drifted = (name: string, is: string) => ({
  state: 'drifted' as const,
  message: `the credentials of principal ${name} ${is}`,
  diff: [{ field: 'credentials', is, should: `work, and stand in ${FILE}` }],
});

/** Polaris shows credentials this once: they are on disk before the next request. */
async function keep(made: NewCredentials, { stack }: TaskContext): Promise<void> {
  const { clientId, clientSecret } = made.credentials;
  await stack.credentials.write(CREDENTIAL, { clientId: clientId.reveal(), clientSecret: clientSecret.reveal() });
}

/** A principal in Polaris, and its credentials in the workspace; lost or refused ones are reset. */
export const polarisPrincipal = defineModule<z.output<typeof schema>>({
  name: 'polaris.principal',
  summary: 'A principal in Polaris, with its credentials in .forge/credentials/polaris-principal.json',
  schema,
  timeoutSeconds: 30,
  async observe({ name }, { stack, signal }) {
    const principal = await stackPolaris(stack).getPrincipal(name, signal);
    if (principal === undefined) return { state: 'missing', message: `principal ${name} is missing` };
    if (stack.credentials.read(CREDENTIAL) === undefined) return drifted(name, 'are lost');
    const credentials = () => clientCredentials(stack, CREDENTIAL);
    if (principal.clientId !== undefined && principal.clientId !== credentials().clientId.reveal())
      return drifted(name, 'belong to another principal');
    const url = `${catalogBase(stack)}/v1/oauth/tokens`;
    const answer = await askForToken({ url, credentials, headers: REALM_HEADER, from: FILE }, signal);
    return answer === false ? drifted(name, 'are refused') : { state: 'in-sync' };
  },
  async apply({ name }, observation, context) {
    const polaris = stackPolaris(context.stack);
    if (observation.state === 'missing') {
      const made = await polaris.createPrincipal(name, context.signal);
      if (made !== undefined) {
        await keep(made, context);
        return `principal ${name} was missing; created, credentials in ${FILE}`;
      }
    }
    await keep(await polaris.resetCredentials(name, context.signal), context);
    const why = observation.state === 'drifted' ? observation.message : `principal ${name} was there already`;
    return `${why}; reset, new ones in ${FILE}`;
  },
  async remove({ name }, { stack, signal }) {
    await stackPolaris(stack).deletePrincipal(name, signal);
    await stack.credentials.remove(CREDENTIAL);
  },
});
