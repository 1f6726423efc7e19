import { badRequest, drop, forbidden, notFound, object, Refusal, text, texts, type Call, type Reply } from './http.js';
import type { CatalogState, PrincipalState, RealmState, TableState } from './state.js';
import { commitTable, createTable } from './tables.js';

const ENDPOINTS = [
  'GET /v1/{prefix}/namespaces',
  'POST /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'DELETE /v1/{prefix}/namespaces/{namespace}',
  'POST /v1/{prefix}/namespaces/{namespace}/properties',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'POST /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics',
];

function privileges(realm: RealmState, principal: PrincipalState, catalog: string): Set<string> {
  const roles = principal.roles.flatMap((role) => realm.principalRoles[role]?.catalogRoles[catalog] ?? []);
  const grants = roles.flatMap((role) => realm.catalogs[catalog]?.roles[role]?.grants.map(({ privilege }) => privilege) ?? []);
  return new Set([...grants, ...(roles.includes('catalog_admin') ? ['CATALOG_MANAGE_METADATA'] : [])]);
}

/** The Iceberg REST part, after `/api/catalog/v1`. Changes `realm` in place. */
export function catalog(realm: RealmState, principal: PrincipalState, call: Call): Reply {
  const { method, segments, query } = call;
  if (segments[0] === 'config') {
    const warehouse = query.get('warehouse');
    if (warehouse === null) throw badRequest('Please specify a warehouse');
    if (!realm.catalogs[warehouse]) throw notFound(`Unable to find warehouse ${warehouse}`);
    const defaults = { 'default-base-location': realm.catalogs[warehouse].entity.properties['default-base-location'] };
    return { status: 200, body: { defaults, overrides: { prefix: warehouse }, endpoints: ENDPOINTS } };
  }
  const [prefix = '', kind, namespace, sub, table, leaf] = segments;
  const found = realm.catalogs[prefix];
  if (!found || kind !== 'namespaces') throw notFound(`Unable to find warehouse ${prefix}`);
  const may = privileges(realm, principal, prefix);
  const reads = method === 'GET' || method === 'HEAD';
  if (!may.has('CATALOG_MANAGE_CONTENT') && !(may.has('CATALOG_MANAGE_METADATA') && reads))
    throw forbidden(
      `Principal '${principal.entity.name}' with activated PrincipalRoles '[${principal.roles.join(', ')}]' is not authorized for op`,
    );

  if (namespace === undefined) return namespaces(found, call);
  const levels = namespace.split('\x1f').join('.');
  const here = Object.hasOwn(found.namespaces, levels) ? found.namespaces[levels] : undefined;
  if (!here) throw new Refusal(404, 'NoSuchNamespaceException', `Namespace does not exist: ${levels}`);
  if (sub === undefined) return oneNamespace(found, levels, here, call);
  if (sub === 'properties' && method === 'POST') {
    const asked = object(call.body, [], ['updates', 'removals']);
    const updates = texts(asked['updates'], 'updates');
    const removals = (asked['removals'] as string[] | undefined) ?? [];
    const removed = removals.filter((key) => key in here.properties);
    for (const key of removed) drop(here.properties, key);
    Object.assign(here.properties, updates);
    return { status: 200, body: { updated: Object.keys(updates), removed, missing: removals.filter((key) => !removed.includes(key)) } };
  }
  if (sub !== 'tables') throw notFound('no such resource');
  const location = here.properties['location'] ?? '';
  if (table === undefined) {
    const identifiers = Object.keys(here.tables).map((name) => ({ namespace: levels.split('.'), name }));
    if (method === 'GET') return { status: 200, body: { identifiers } };
    const { name, ...made } = createTable(call.body, location);
    if (Object.hasOwn(here.tables, name)) throw new Refusal(409, 'AlreadyExistsException', `Table already exists: ${levels}.${name}`);
    here.tables[name] = made;
    return { status: 200, body: loaded(made, found) };
  }
  const is = Object.hasOwn(here.tables, table) ? here.tables[table] : undefined;
  if (!is) throw new Refusal(404, 'NoSuchTableException', `Table does not exist: ${levels}.${table}`);
  if (leaf === 'metrics') return { status: 204 };
  if (method === 'GET') return { status: 200, body: loaded(is, found) };
  if (method === 'HEAD') return { status: 204 };
  if (method === 'POST') {
    here.tables[table] = commitTable(is, call.body);
    return { status: 200, body: { 'metadata-location': here.tables[table].metadataLocation, metadata: here.tables[table].metadata } };
  }
  if (query.get('purgeRequested') === 'true')
    throw forbidden('Unable to purge entity. To enable this feature, set the Polaris configuration DROP_WITH_PURGE_ENABLED');
  drop(here.tables, table);
  return { status: 204 };
}

/** Polaris tells where the storage is with every table, also to those who ask for no keys. */
function loaded({ metadataLocation, metadata }: TableState, { entity }: CatalogState): unknown {
  const { region, endpoint, pathStyleAccess } = entity.storageConfigInfo;
  const config = {
    ...(region === undefined ? {} : { 'client.region': region }),
    ...(endpoint === undefined ? {} : { 's3.endpoint': endpoint }),
    ...(pathStyleAccess === true ? { 's3.path-style-access': 'true' } : {}),
  };
  return { 'metadata-location': metadataLocation, metadata, config };
}

function namespaces(catalog: CatalogState, { method, body }: Call): Reply {
  if (method === 'GET') return { status: 200, body: { namespaces: Object.keys(catalog.namespaces).map((name) => name.split('.')) } };
  const asked = object(body, ['namespace'], ['properties']);
  const name = (asked['namespace'] as string[]).map((level) => text(level, 'namespace')).join('.');
  if (Object.hasOwn(catalog.namespaces, name))
    throw new Refusal(409, 'AlreadyExistsException', `Cannot create namespace ${name}. Namespace already exists`);
  const location = `${catalog.entity.properties['default-base-location']}/${name}`;
  catalog.namespaces[name] = { properties: { location, ...texts(asked['properties'], 'properties') }, tables: {} };
  return { status: 200, body: { namespace: name.split('.'), properties: catalog.namespaces[name].properties } };
}

function oneNamespace(catalog: CatalogState, name: string, here: CatalogState['namespaces'][string], { method }: Call): Reply {
  if (method === 'GET') return { status: 200, body: { namespace: name.split('.'), properties: here.properties } };
  if (method === 'HEAD') return { status: 204 };
  if (Object.keys(here.tables).length > 0) throw new Refusal(409, 'NamespaceNotEmptyException', `Namespace ${name} is not empty`);
  drop(catalog.namespaces, name);
  return { status: 204 };
}
