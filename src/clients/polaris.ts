import { serverError, type ForgeError } from '../errors.js';
import type { StackContext } from '../workspace/context.js';
import { redact, Secret } from '../workspace/secret.js';
import { request, type HttpAnswer } from './http.js';
import { catalogBase, polarisTokens, REALM_HEADER } from './iceberg.js';
import type { TokenSource } from './oauth.js';

/** How a catalog reaches its storage (Polaris' AwsStorageConfigInfo: the part that forge sets). */
export interface StorageConfig {
  storageType: 'S3';
  allowedLocations?: string[];
  roleArn?: string;
  region?: string;
  endpoint?: string;
  endpointInternal?: string;
  stsEndpoint?: string;
  pathStyleAccess?: boolean;
  stsUnavailable?: boolean;
}

export interface PolarisCatalog {
  name: string;
  type: 'INTERNAL';
  properties: Record<string, string>;
  storageConfigInfo: StorageConfig;
  entityVersion?: number;
}

export interface Principal {
  name: string;
  clientId?: string;
}

/** A principal with the credentials that Polaris shows this once. */
export interface NewCredentials {
  principal: Principal;
  credentials: { clientId: Secret; clientSecret: Secret };
}

/** Polaris' management API. Looking for something that is missing gives undefined; creating what exists gives false. */
export interface PolarisClient {
  getCatalog(name: string, signal?: AbortSignal): Promise<PolarisCatalog | undefined>;
  createCatalog(catalog: PolarisCatalog, signal?: AbortSignal): Promise<boolean>;
  /** Throws CATALOG_CONFLICT when somebody else changed it since it was read. */
  updateCatalog(catalog: PolarisCatalog, signal?: AbortSignal): Promise<void>;
  deleteCatalog(name: string, signal?: AbortSignal): Promise<boolean>;

  getPrincipal(name: string, signal?: AbortSignal): Promise<Principal | undefined>;
  /** Undefined when there is such a principal already. */
  createPrincipal(name: string, signal?: AbortSignal): Promise<NewCredentials | undefined>;
  resetCredentials(name: string, signal?: AbortSignal): Promise<NewCredentials>;
  deletePrincipal(name: string, signal?: AbortSignal): Promise<boolean>;

  hasPrincipalRole(name: string, signal?: AbortSignal): Promise<boolean>;
  createPrincipalRole(name: string, signal?: AbortSignal): Promise<boolean>;
  deletePrincipalRole(name: string, signal?: AbortSignal): Promise<boolean>;

  hasCatalogRole(catalog: string, name: string, signal?: AbortSignal): Promise<boolean>;
  createCatalogRole(catalog: string, name: string, signal?: AbortSignal): Promise<boolean>;
  deleteCatalogRole(catalog: string, name: string, signal?: AbortSignal): Promise<boolean>;

  /** Undefined when there is no such principal. */
  rolesOfPrincipal(principal: string, signal?: AbortSignal): Promise<string[] | undefined>;
  assignPrincipalRole(principal: string, role: string, signal?: AbortSignal): Promise<void>;
  revokePrincipalRole(principal: string, role: string, signal?: AbortSignal): Promise<void>;

  /** Undefined when there is no such principal role or catalog. */
  catalogRolesOfRole(role: string, catalog: string, signal?: AbortSignal): Promise<string[] | undefined>;
  assignCatalogRole(role: string, catalog: string, catalogRole: string, signal?: AbortSignal): Promise<void>;
  revokeCatalogRole(role: string, catalog: string, catalogRole: string, signal?: AbortSignal): Promise<void>;

  /** Privileges on the whole catalog; undefined when there is no such catalog role or catalog. */
  grants(catalog: string, catalogRole: string, signal?: AbortSignal): Promise<string[] | undefined>;
  grant(catalog: string, catalogRole: string, privilege: string, signal?: AbortSignal): Promise<void>;
  revoke(catalog: string, catalogRole: string, privilege: string, signal?: AbortSignal): Promise<void>;
}

function detailOf(answer: HttpAnswer): string {
  try {
    const { error } = JSON.parse(answer.text) as { error?: { message?: string; type?: string } };
    return [error?.type, error?.message].filter(Boolean).join(': ');
  } catch {
    return answer.text.slice(0, 200);
  }
}

/** A client of the management API at `base` (`http://127.0.0.1:18181/api/management/v1`). */
export function polarisClient(base: string, tokens: TokenSource): PolarisClient {
  const host = new URL(base).host;

  async function call(method: string, segments: string[], signal?: AbortSignal, json?: unknown): Promise<HttpAnswer> {
    const url = `${base}/${segments.map(encodeURIComponent).join('/')}`;
    for (let attempt = 1; ; attempt++) {
      const token = await tokens.get(signal);
      const headers = { ...REALM_HEADER, accept: 'application/json', authorization: `Bearer ${token.reveal()}` };
      const answer = await request(url, { method, headers, ...(json === undefined ? {} : { json }), ...(signal && { signal }) });
      if (answer.status !== 401 || attempt > 1) return answer;
      tokens.forget();
    }
  }
  function failed(answer: HttpAnswer, doing: string): ForgeError {
    const refused = answer.status === 401 || answer.status === 403;
    const detail = detailOf(answer);
    return serverError({
      code: refused ? 'CATALOG_REFUSED' : answer.status === 409 ? 'CATALOG_CONFLICT' : 'CATALOG_FAILED',
      message: redact(`Polaris on ${host} answered ${answer.status} to ${doing}${detail === '' ? '' : `: ${detail}`}`),
      hint: refused ? 'The user of .forge/credentials/polaris-root.json may not do that' : 'See `forge logs polaris`',
    });
  }
  async function find<T>(segments: string[], signal?: AbortSignal): Promise<T | undefined> {
    const answer = await call('GET', segments, signal);
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw failed(answer, `looking for ${segments.join('/')}`);
    return answer.json<T>();
  }
  async function create(segments: string[], name: string, json: unknown, signal?: AbortSignal): Promise<HttpAnswer | undefined> {
    const answer = await call('POST', segments, signal, json);
    if (answer.ok) return answer;
    // 409 also stands for "could not resolve"; only what can be seen does exist.
    if (answer.status === 409 && (await find([...segments, name], signal)) !== undefined) return undefined;
    throw failed(answer, `creating ${[...segments, name].join('/')}`);
  }
  async function drop(segments: string[], signal?: AbortSignal): Promise<boolean> {
    const answer = await call('DELETE', segments, signal);
    if (answer.status === 404) return false;
    if (!answer.ok) throw failed(answer, `deleting ${segments.join('/')}`);
    return true;
  }
  async function change(method: 'PUT' | 'POST', segments: string[], json: unknown, signal?: AbortSignal): Promise<void> {
    const answer = await call(method, segments, signal, json);
    if (!answer.ok) throw failed(answer, `changing ${segments.join('/')}`);
  }
  async function names(segments: string[], signal?: AbortSignal): Promise<string[] | undefined> {
    return (await find<{ roles: { name: string }[] }>(segments, signal))?.roles.map(({ name }) => name);
  }
  function credentialsOf(answer: HttpAnswer): NewCredentials {
    const { principal, credentials } = answer.json<{ principal: Principal; credentials: { clientId: string; clientSecret: string } }>();
    // The id is no secret, but the two travel together.
    return { principal, credentials: { clientId: new Secret(credentials.clientId), clientSecret: new Secret(credentials.clientSecret) } };
  }
  const grantsOf = (catalog: string, role: string) => ['catalogs', catalog, 'catalog-roles', role, 'grants'];

  return {
    getCatalog: (name, signal) => find(['catalogs', name], signal),
    createCatalog: async (catalog, signal) => (await create(['catalogs'], catalog.name, { catalog }, signal)) !== undefined,
    updateCatalog: ({ name, properties, storageConfigInfo, entityVersion }, signal) =>
      change('PUT', ['catalogs', name], { currentEntityVersion: entityVersion, properties, storageConfigInfo }, signal),
    deleteCatalog: (name, signal) => drop(['catalogs', name], signal),

    getPrincipal: (name, signal) => find(['principals', name], signal),
    async createPrincipal(name, signal) {
      const answer = await create(['principals'], name, { principal: { name }, credentialRotationRequired: false }, signal);
      return answer && credentialsOf(answer);
    },
    async resetCredentials(name, signal) {
      const answer = await call('POST', ['principals', name, 'reset'], signal, {});
      if (!answer.ok) throw failed(answer, `resetting the credentials of principal ${name}`);
      return credentialsOf(answer);
    },
    deletePrincipal: (name, signal) => drop(['principals', name], signal),

    hasPrincipalRole: async (name, signal) => (await find(['principal-roles', name], signal)) !== undefined,
    createPrincipalRole: async (name, signal) =>
      (await create(['principal-roles'], name, { principalRole: { name } }, signal)) !== undefined,
    deletePrincipalRole: (name, signal) => drop(['principal-roles', name], signal),

    hasCatalogRole: async (catalog, name, signal) => (await find(['catalogs', catalog, 'catalog-roles', name], signal)) !== undefined,
    createCatalogRole: async (catalog, name, signal) =>
      (await create(['catalogs', catalog, 'catalog-roles'], name, { catalogRole: { name } }, signal)) !== undefined,
    deleteCatalogRole: (catalog, name, signal) => drop(['catalogs', catalog, 'catalog-roles', name], signal),

    rolesOfPrincipal: (principal, signal) => names(['principals', principal, 'principal-roles'], signal),
    assignPrincipalRole: (principal, name, signal) =>
      change('PUT', ['principals', principal, 'principal-roles'], { principalRole: { name } }, signal),
    async revokePrincipalRole(principal, role, signal) {
      await drop(['principals', principal, 'principal-roles', role], signal);
    },

    catalogRolesOfRole: (role, catalog, signal) => names(['principal-roles', role, 'catalog-roles', catalog], signal),
    assignCatalogRole: (role, catalog, name, signal) =>
      change('PUT', ['principal-roles', role, 'catalog-roles', catalog], { catalogRole: { name } }, signal),
    async revokeCatalogRole(role, catalog, catalogRole, signal) {
      await drop(['principal-roles', role, 'catalog-roles', catalog, catalogRole], signal);
    },

    async grants(catalog, role, signal) {
      const found = await find<{ grants: { type: string; privilege: string }[] }>(grantsOf(catalog, role), signal);
      return found?.grants.filter(({ type }) => type === 'catalog').map(({ privilege }) => privilege);
    },
    grant: (catalog, role, privilege, signal) => change('PUT', grantsOf(catalog, role), { grant: { type: 'catalog', privilege } }, signal),
    revoke: (catalog, role, privilege, signal) =>
      change('POST', grantsOf(catalog, role), { grant: { type: 'catalog', privilege } }, signal),
  };
}

const clients = new WeakMap<StackContext, Map<string, PolarisClient>>();

/** The management API of the stack's Polaris, as its root user. */
export function stackPolaris(stack: StackContext): PolarisClient {
  const base = catalogBase(stack).replace(/\/api\/catalog$/, '/api/management/v1');
  const known = clients.get(stack) ?? new Map<string, PolarisClient>();
  clients.set(stack, known);
  const client = known.get(base) ?? polarisClient(base, polarisTokens(stack, 'root'));
  known.set(base, client);
  return client;
}
