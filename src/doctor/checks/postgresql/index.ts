import type { Check } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { postgresqlAnswers } from './postgresql-answers.js';
import { postgresqlConnections } from './postgresql-connections.js';
import { postgresqlWritable } from './postgresql-writable.js';

export const postgresqlChecks: readonly Check[] = [
  postgresqlAnswers,
  postgresqlWritable,
  driftCheck({
    id: 'postgresql-objects',
    group: 'postgresql',
    title: 'Roles and databases are there, and passwords are accepted',
    modules: ['postgresql.role', 'postgresql.database'],
    needs: ['postgresql-answers'],
    component: 'postgresql',
    wrong: (tasks) => `PostgreSQL: ${tasks.map(({ id, message }) => `${id} (${message})`).join(', ')}`,
  }),
  postgresqlConnections,
];
