import type { Check } from '../../check.js';
import { postgresFacts } from './facts.js';

const MUCH = 0.85;

/** When all connections are taken, catalog and engine are refused. */
export const postgresqlConnections: Check = {
  id: 'postgresql-connections',
  group: 'postgresql',
  title: 'PostgreSQL has connections left',
  severity: 'warning',
  needs: ['postgresql-answers'],
  async look(place) {
    const { most, used, holders } = await postgresFacts(place);
    if (used < most * MUCH) return [];
    return [
      {
        component: 'postgresql',
        title: `PostgreSQL has hardly a connection left: ${used} of ${most} are taken`,
        cause: `By user: ${holders.slice(0, 5).join(', ')}`,
        remedy: 'End programs that hold connections (notebooks, dashboards, psql) before catalog or engine are refused',
      },
    ];
  },
};
