import { badRequest, drop, exists, notFound, object, Refusal, text, texts, type Call, type Reply } from './http.js';
import { hashOf, newClientId, newEntity, newSecret, touch, type CatalogState, type PrincipalState, type RealmState } from './state.js';

export interface Manners {
  /** Before 1.6 (JDBC) a repeated assignment or grant is answered with 500. */
  repeated: 500 | 201;
}

const named = <T>(all: Record<string, T>, name: string, what: string): T => {
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (found === undefined) throw notFound(`${what} ${name} does not exist`);
  return found;
};
const unused = (all: object, name: string, what: string): void => {
  if (Object.hasOwn(all, name)) throw exists(`Cannot create ${what} ${name}. ${what} already exists or resolution failed`);
};
const duplicateKey = (): Refusal =>
  new Refusal(500, 'RuntimeException', 'ERROR: duplicate key value violates unique constraint "grant_records_pkey"');
const nameIn = (body: unknown, key: string): string => text(object(object(body, [key])[key], ['name'], ['properties'])['name'], 'name');

/** Polaris' management API, for a user who may do everything. Changes `realm` in place. */
export function management(realm: RealmState, manners: Manners, call: Call): Reply {
  const { method, segments, body } = call;
  const [kind = '', name = '', sub, third, fourth] = segments;
  const route = `${method} ${segments.map((_, at) => (at % 2 === 0 || at > 2 ? segments[at] : '*')).join('/')}`;
  const repeat = (list: string[], entry: string): Reply => {
    if (!list.includes(entry)) list.push(entry);
    else if (manners.repeated === 500) throw duplicateKey();
    return { status: 201 };
  };

  if (kind === 'catalogs' && segments.length <= 2) return catalogs(realm, call);
  if (kind === 'catalogs') return catalogRoles(named(realm.catalogs, name, 'Catalog'), realm, manners, call);
  if (kind === 'principals' && segments.length === 1) {
    if (method === 'GET') return { status: 200, body: { principals: Object.values(realm.principals).map(({ entity }) => entity) } };
    if (method === 'POST') return createPrincipal(realm, body);
  }
  if (kind === 'principals' && segments.length >= 2) {
    const principal = named(realm.principals, name, 'Principal');
    if (sub === undefined && method === 'GET') return { status: 200, body: principal.entity };
    if (sub === undefined && method === 'DELETE') {
      drop(realm.principals, name);
      return { status: 204 };
    }
    if ((sub === 'reset' || sub === 'rotate') && method === 'POST') return newCredentials(principal, body);
    if (sub === 'principal-roles' && third === undefined && method === 'GET')
      return { status: 200, body: { roles: principal.roles.map((role) => named(realm.principalRoles, role, 'PrincipalRole').entity) } };
    if (sub === 'principal-roles' && third === undefined && method === 'PUT') {
      const role = nameIn(body, 'principalRole');
      named(realm.principalRoles, role, 'PrincipalRole');
      return repeat(principal.roles, role);
    }
    if (sub === 'principal-roles' && third !== undefined && method === 'DELETE') {
      if (!principal.roles.includes(third)) throw notFound(`${name} has no role ${third}`);
      principal.roles = principal.roles.filter((role) => role !== third);
      return { status: 204 };
    }
  }
  if (kind === 'principal-roles' && segments.length === 1) {
    if (method === 'GET') return { status: 200, body: { roles: Object.values(realm.principalRoles).map(({ entity }) => entity) } };
    if (method === 'POST') {
      const role = nameIn(body, 'principalRole');
      unused(realm.principalRoles, role, 'PrincipalRole');
      realm.principalRoles[role] = { entity: newEntity(role), catalogRoles: {} };
      return { status: 201, body: realm.principalRoles[role].entity };
    }
  }
  if (kind === 'principal-roles' && segments.length >= 2) {
    const role = named(realm.principalRoles, name, 'PrincipalRole');
    if (sub === undefined && method === 'GET') return { status: 200, body: role.entity };
    if (sub === undefined && method === 'DELETE') {
      drop(realm.principalRoles, name);
      for (const principal of Object.values(realm.principals)) principal.roles = principal.roles.filter((entry) => entry !== name);
      return { status: 204 };
    }
    if (sub === 'catalog-roles' && third !== undefined) {
      const catalog = named(realm.catalogs, third, 'Catalog');
      const has = (role.catalogRoles[third] ??= []);
      if (fourth === undefined && method === 'GET')
        return { status: 200, body: { roles: has.map((entry) => named(catalog.roles, entry, 'CatalogRole').entity) } };
      if (fourth === undefined && method === 'PUT') {
        const catalogRole = nameIn(body, 'catalogRole');
        named(catalog.roles, catalogRole, 'CatalogRole');
        return repeat(has, catalogRole);
      }
      if (fourth !== undefined && method === 'DELETE') {
        if (!has.includes(fourth)) throw notFound(`${name} has no catalog role ${fourth}`);
        role.catalogRoles[third] = has.filter((entry) => entry !== fourth);
        return { status: 204 };
      }
    }
  }
  throw new Refusal(405, 'NotAllowedException', `HTTP 405 Method Not Allowed (${route})`);
}

function createPrincipal(realm: RealmState, body: unknown): Reply {
  const { principal } = object(body, ['principal'], ['credentialRotationRequired']);
  const name = text(object(principal, ['name'], ['properties'])['name'], 'name');
  unused(realm.principals, name, 'Principal');
  const state: PrincipalState = { entity: { ...newEntity(name), clientId: newClientId() }, secretHash: '', roles: [] };
  realm.principals[name] = state;
  return { ...newCredentials(state, undefined), status: 201 };
}

function newCredentials(principal: PrincipalState, body: unknown): Reply {
  const asked = object(body ?? {}, [], ['clientId', 'clientSecret']);
  const clientSecret = asked['clientSecret'] === undefined ? newSecret() : text(asked['clientSecret'], 'clientSecret');
  principal.secretHash = hashOf(clientSecret);
  touch(principal.entity);
  return { status: 200, body: { principal: principal.entity, credentials: { clientId: principal.entity.clientId, clientSecret } } };
}

function catalogs(realm: RealmState, { method, segments, body }: Call): Reply {
  const [, name] = segments;
  if (name === undefined && method === 'GET')
    return { status: 200, body: { catalogs: Object.values(realm.catalogs).map(({ entity }) => entity) } };
  if (name === undefined && method === 'POST') {
    const asked = object(object(body, ['catalog'])['catalog'], ['name', 'type', 'properties', 'storageConfigInfo']);
    const created = text(asked['name'], 'name');
    if (asked['type'] !== 'INTERNAL') throw badRequest('only internal catalogs');
    const properties = texts(asked['properties'], 'properties');
    const storageConfigInfo = storage(asked['storageConfigInfo'], text(properties['default-base-location'], 'default-base-location'));
    unused(realm.catalogs, created, 'Catalog');
    refuseOverlap(realm, created, storageConfigInfo.allowedLocations);
    const entity = { ...newEntity(created, properties), type: 'INTERNAL' as const, storageConfigInfo };
    const admin = { entity: newEntity('catalog_admin'), grants: [] };
    realm.catalogs[created] = { entity, roles: { catalog_admin: admin }, namespaces: {} };
    named(realm.principalRoles, 'service_admin', 'PrincipalRole').catalogRoles[created] = ['catalog_admin'];
    return { status: 201, body: entity };
  }
  if (name === undefined) throw new Refusal(405, 'NotAllowedException', 'HTTP 405 Method Not Allowed');
  const catalog = named(realm.catalogs, name, 'Catalog');
  if (method === 'GET') return { status: 200, body: catalog.entity };
  if (method === 'PUT') {
    const asked = object(body, ['currentEntityVersion'], ['properties', 'storageConfigInfo']);
    if (asked['currentEntityVersion'] !== catalog.entity.entityVersion)
      throw new Refusal(
        409,
        'CommitFailedException',
        `Failed to update Catalog; currentEntityVersion '${String(asked['currentEntityVersion'])}'`,
      );
    const properties = asked['properties'] === undefined ? catalog.entity.properties : texts(asked['properties'], 'properties');
    const base = text(properties['default-base-location'], 'default-base-location');
    const storageConfigInfo = storage(asked['storageConfigInfo'] ?? catalog.entity.storageConfigInfo, base);
    refuseOverlap(realm, name, storageConfigInfo.allowedLocations);
    Object.assign(catalog.entity, { properties, storageConfigInfo });
    touch(catalog.entity);
    return { status: 200, body: catalog.entity };
  }
  if (method === 'DELETE') {
    const roles = Object.keys(catalog.roles).filter((role) => role !== 'catalog_admin');
    if (Object.keys(catalog.namespaces).length > 0 || roles.length > 0)
      throw badRequest(`Catalog '${name}' cannot be dropped, it is not empty`);
    drop(realm.catalogs, name);
    for (const role of Object.values(realm.principalRoles)) drop(role.catalogRoles, name);
    return { status: 204 };
  }
  throw new Refusal(405, 'NotAllowedException', 'HTTP 405 Method Not Allowed');
}

const STORAGE = ['allowedLocations', 'storageName', 'roleArn', 'externalId', 'userArn', 'region', 'endpoint', 'stsEndpoint'];
const MORE_STORAGE = ['stsUnavailable', 'endpointInternal', 'pathStyleAccess', 'kmsUnavailable', 'currentKmsKey', 'allowedKmsKeys'];

function storage(value: unknown, base: string): CatalogState['entity']['storageConfigInfo'] {
  const config = object(value, ['storageType'], [...STORAGE, ...MORE_STORAGE]);
  if (config['storageType'] !== 'S3') throw badRequest(`Unsupported storage type ${String(config['storageType'])}`);
  const allowed = (config['allowedLocations'] as string[] | undefined) ?? [];
  for (const location of [...allowed, base])
    if (!location.startsWith('s3://')) throw badRequest(`Location prefix not allowed: '${location}'`);
  return { ...config, storageType: 'S3', allowedLocations: [...new Set([...allowed, base])] };
}

function refuseOverlap(realm: RealmState, own: string, locations: string[]): void {
  const folder = (location: string): string => location.replace(/\/*$/, '/');
  for (const { entity } of Object.values(realm.catalogs)) {
    if (entity.name === own) continue;
    for (const taken of entity.storageConfigInfo.allowedLocations)
      if (locations.some((location) => folder(location).startsWith(folder(taken)) || folder(taken).startsWith(folder(location))))
        throw badRequest(`Cannot create Catalog ${own}. One or more of its locations overlaps with an existing catalog`);
  }
}

function catalogRoles(catalog: CatalogState, realm: RealmState, manners: Manners, { method, segments, body }: Call): Reply {
  const [, catalogName = '', kind, name, sub] = segments;
  if (kind !== 'catalog-roles') throw notFound('no such resource');
  if (name === undefined) {
    if (method === 'GET') return { status: 200, body: { roles: Object.values(catalog.roles).map(({ entity }) => entity) } };
    const role = nameIn(body, 'catalogRole');
    unused(catalog.roles, role, 'CatalogRole');
    catalog.roles[role] = { entity: newEntity(role), grants: [] };
    return { status: 201, body: catalog.roles[role].entity };
  }
  const role = named(catalog.roles, name, 'CatalogRole');
  if (sub === undefined && method === 'GET') return { status: 200, body: role.entity };
  if (sub === undefined && method === 'DELETE') {
    drop(catalog.roles, name);
    for (const { catalogRoles: all } of Object.values(realm.principalRoles))
      if (all[catalogName]) all[catalogName] = all[catalogName].filter((entry) => entry !== name);
    return { status: 204 };
  }
  if (sub !== 'grants') throw notFound('no such resource');
  if (method === 'GET') return { status: 200, body: { grants: role.grants } };
  const grant = object(object(body, ['grant'])['grant'], ['type', 'privilege']);
  if (grant['type'] !== 'catalog') throw badRequest('only grants on the catalog');
  const privilege = text(grant['privilege'], 'privilege');
  const has = role.grants.some((entry) => entry.privilege === privilege);
  if (method === 'PUT' && has && manners.repeated === 500) throw duplicateKey();
  if (method === 'PUT' && !has) role.grants.push({ type: 'catalog', privilege });
  if (method === 'POST' && !has) throw notFound(`${name} does not have ${privilege}`);
  if (method === 'POST') role.grants = role.grants.filter((entry) => entry.privilege !== privilege);
  return { status: 201 };
}
