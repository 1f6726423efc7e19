import type { Check } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { tableCommits } from './commits.js';
import { tableFiles } from './files.js';
import { tableObjects } from './objects.js';
import { viewSchema } from './view-schema.js';

/** What the engine needs to be there: it fails without. */
export const tableChecks: readonly Check[] = [
  tableObjects,
  driftCheck({
    id: 'table-missing',
    group: 'tables',
    title: 'Every Iceberg table is there',
    modules: ['iceberg.table'],
    state: 'missing',
    needs: ['catalog-access', 'catalog-objects'],
    wrong: (tasks) => (tasks.length === 1 ? 'An Iceberg table is missing' : `${tasks.length} Iceberg tables are missing`),
  }),
  driftCheck({
    id: 'table-schema',
    group: 'tables',
    title: 'Every Iceberg table has its schema, partitions, sort order and properties',
    modules: ['iceberg.table'],
    state: 'drifted',
    needs: ['table-objects'],
    wrong: (tasks) =>
      `${tasks.length === 1 ? 'An Iceberg table has' : `${tasks.length} Iceberg tables have`} another shape than the stack wants`,
  }),
  driftCheck({
    id: 'view-missing',
    group: 'tables',
    title: 'Every view is there',
    modules: ['sql.view'],
    state: 'missing',
    component: 'postgresql',
    wrong: (tasks) => (tasks.length === 1 ? 'A view is missing in PostgreSQL' : `${tasks.length} views are missing in PostgreSQL`),
  }),
  driftCheck({
    id: 'view-columns',
    group: 'tables',
    title: 'Every view has its columns, key and owner',
    modules: ['sql.view'],
    state: 'drifted',
    component: 'postgresql',
    wrong: (tasks) =>
      `${tasks.length === 1 ? 'A view has' : `${tasks.length} views have`} other columns, another key or owner than the stack wants`,
  }),
  viewSchema,
];

/** What only an engine that runs makes. */
export const tableFlowChecks: readonly Check[] = [tableCommits, tableFiles];
