import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDocument, type Document, type Exchange, type Gap } from './openapi.js';

/** What Polaris answers although its documents do not say so; a status that is not here and not there is a mistake. */
const GAPS: Gap[] = [
  { operation: 'listGrantsForCatalogRole', status: 404, why: 'the catalog or the role does not exist' },
  { operation: 'assignPrincipalRole', status: 500, why: 'repeated, before 1.6 on PostgreSQL (apache/polaris#4553)' },
  { operation: 'assignCatalogRoleToPrincipalRole', status: 500, why: 'the same' },
  { operation: 'addGrantToCatalogRole', status: 500, why: 'the same' },
  { operation: 'createCatalog', status: 400, why: 'locations that overlap with those of another catalog' },
  { operation: 'deleteCatalog', status: 400, why: 'it is not empty' },
  { operation: 'createPrincipal', status: 409, why: 'there is one; documented for catalogs only' },
  { operation: 'createPrincipalRole', status: 409, why: 'the same' },
  { operation: 'createCatalogRole', status: 409, why: 'the same' },
];

function folder(): string {
  const given = process.env['FORGE_SPECS'];
  if (given !== undefined && existsSync(given)) return given;
  throw new Error(
    `The specs suite needs the folder with the OpenAPI documents (${given === undefined ? 'FORGE_SPECS is not set' : `${given} does not exist`}): npm run test:specs -- FOLDER`,
  );
}

/** The documents of Polaris, each with the base that Polaris serves it under. */
export function polarisDocuments(): { management: Document; iceberg: Document; oauth: Document } {
  const open = (file: string, base: string): Document =>
    openDocument({ file: join(folder(), file), base, gaps: GAPS, strictAnswers: true });
  return {
    management: open('polaris-management-service.yml', '/api/management/v1'),
    iceberg: open('iceberg-rest-catalog-open-api.yaml', '/api/catalog'),
    oauth: open('oauth-tokens-api.yaml', '/api/catalog'),
  };
}

/** The document of an Iceberg REST catalog that others wrote: what its answers have beyond it is their business. */
export const icebergDocument = (): Document =>
  openDocument({ file: join(folder(), 'iceberg-rest-catalog-open-api.yaml'), base: '', strictAnswers: false });

/** Every exchange is checked against each document that has its path; one at least must. */
export function problemsIn(exchanges: Exchange[], documents: Document[]): string[] {
  return exchanges.flatMap((exchange) => {
    const answers = documents.map((document) => document.check(exchange));
    const found = answers.every((answer) => answer === undefined)
      ? ['no document has this path']
      : answers.flatMap((answer) => answer ?? []);
    return found.map((problem) => `${exchange.method} ${exchange.url.pathname} -> ${exchange.status}: ${problem}`);
  });
}
