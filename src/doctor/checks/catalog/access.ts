import { stackCatalog } from '../../../clients/iceberg.js';
import { ForgeError } from '../../../errors.js';
import { UP, type Check, type Trouble } from '../../check.js';

/** Whether what the pipeline logs in as may really see the tables, whatever roles and grants say. */
export const catalogAccess: Check = {
  id: 'catalog-access',
  group: 'catalog',
  title: "The pipeline's user may list the tables",
  needs: ['catalog-answers', 'catalog-token'],
  unless: ['catalog-storage'],
  seconds: 10,
  async look(place): Promise<Trouble[]> {
    const { stack, signal } = place;
    const { namespace } = stack.config.lake;
    try {
      await stackCatalog(stack).listTables(namespace, signal);
      return [];
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ForgeError)) throw error;
      if (error.code === 'CATALOG_REFUSED') {
        // Which role or grant is missing is what catalog-objects tells.
        const roles = (await place.tasks()).filter(({ module }) => module.startsWith('polaris.'));
        if (roles.some(({ state }) => state === 'missing' || state === 'drifted')) return [];
        return [
          {
            component: stack.catalog,
            title: `The pipeline's principal may not list the namespace ${namespace}`,
            cause: error.message,
            remedy: '`forge up` puts roles and grants back; a grant that was revoked may take until its token expires',
            fix: UP,
          },
        ];
      }
      if (error.code !== 'CATALOG_FAILED') throw error;
      return [
        {
          component: stack.catalog,
          title: `The catalog cannot list the namespace ${namespace}`,
          cause: `${error.message} (it keeps its tables' names in PostgreSQL, database catalog)`,
          remedy: `\`forge logs ${stack.catalog}\`; a catalog whose database was replaced has to be restarted: \`forge down --keep-data\`, then \`forge up\``,
        },
      ];
    }
  },
};
