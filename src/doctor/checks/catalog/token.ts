import { catalogBase, clientCredentials, POLARIS_REALM, REALM_HEADER } from '../../../clients/iceberg.js';
import { askForToken } from '../../../clients/oauth.js';
import { ForgeError } from '../../../errors.js';
import { UP, type Check, type StackPlace, type Trouble } from '../../check.js';

const WHO = [
  {
    name: 'polaris-root',
    what: 'the root user',
    remedy: 'Put the old file back; without it: `forge catalog reset`, which loses the catalog and its tables, then `forge up`',
  },
  { name: 'polaris-principal', what: "the pipeline's principal", remedy: '`forge up` resets them', fix: UP },
] as const;

export const onPolaris = ({ stack }: StackPlace): boolean => stack.catalog === 'polaris';

/** Whether Polaris takes the credentials on file, in its realm. */
export const catalogToken: Check = {
  id: 'catalog-token',
  group: 'catalog',
  title: 'Polaris gives tokens for the credentials on file',
  needs: ['catalog-answers'],
  concerns: onPolaris,
  async look({ stack, signal }): Promise<Trouble[]> {
    const url = `${catalogBase(stack)}/v1/oauth/tokens`;
    const asked = await Promise.all(
      WHO.map(async ({ name, what, ...end }): Promise<Trouble[]> => {
        const from = `.forge/credentials/${name}.json`;
        try {
          const token = await askForToken({ url, credentials: () => clientCredentials(stack, name), headers: REALM_HEADER, from }, signal);
          if (token !== false) return [];
          return [
            {
              component: 'polaris',
              title: `Polaris refuses the credentials of ${what}`,
              cause: `Those in ${from} are not the ones that it has`,
              ...end,
            },
          ];
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof ForgeError) || error.code !== 'CATALOG_TOKEN_FAILED') throw error;
          const isRealm = /realm/i.test(error.message);
          return [
            {
              component: 'polaris',
              title: isRealm ? `Polaris does not serve the realm ${POLARIS_REALM}` : `Polaris gives no token for ${what}`,
              cause: error.message,
              remedy: isRealm
                ? 'Start it with POLARIS_REALM_CONTEXT_REALMS=POLARIS; `forge up` makes a realm that is missing'
                : '`forge logs polaris` tells why',
            },
          ];
        }
      }),
    );
    const troubles = asked.flat();
    // One realm, one finding.
    return troubles.filter(({ title }, at) => troubles.findIndex((other) => other.title === title) === at);
  },
};
