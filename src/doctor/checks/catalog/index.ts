import type { Check } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { catalogAccess } from './access.js';
import { catalogAnswers } from './answers.js';
import { catalogStorage } from './storage.js';
import { catalogToken } from './token.js';
import { catalogVending } from './vending.js';

export const catalogChecks: readonly Check[] = [
  catalogAnswers,
  catalogToken,
  catalogStorage,
  catalogAccess,
  driftCheck({
    id: 'catalog-objects',
    group: 'catalog',
    title: 'Catalog, principals, roles, grants and namespace are there',
    modules: [
      'polaris.realm',
      'polaris.catalog',
      'polaris.principal',
      'polaris.principal-role',
      'polaris.catalog-role',
      'polaris.principal-role-assignment',
      'polaris.catalog-role-assignment',
      'polaris.grant',
      'catalog.warehouse',
      'iceberg.namespace',
    ],
    needs: ['catalog-answers', 'catalog-token', 'catalog-access'],
    wrong: (tasks) => `The catalog lacks ${tasks.map(({ id }) => id).join(', ')}`,
  }),
  catalogVending,
];
