import type { Check } from '../../check.js';
import { postgresFacts } from './facts.js';

/** Catalog and views have to be written. */
export const postgresqlWritable: Check = {
  id: 'postgresql-writable',
  group: 'postgresql',
  title: 'PostgreSQL can be written',
  needs: ['postgresql-answers'],
  async look(place) {
    const { readOnly } = await postgresFacts(place);
    if (readOnly === undefined) return [];
    return [
      {
        component: 'postgresql',
        title: 'PostgreSQL is read-only',
        cause: `Neither the catalog nor the engine can write: ${readOnly}`,
        remedy:
          'As its superuser (`forge env`): ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf(), or ALTER DATABASE … RESET; then end the sessions of before',
      },
    ];
  },
};
