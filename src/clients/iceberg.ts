import { serverError, type ForgeError } from '../errors.js';
import type { StackContext } from '../workspace/context.js';
import { redact } from '../workspace/secret.js';
import { request, type HttpAnswer } from './http.js';
import type { IcebergSchema, LoadTableResult, PartitionSpec, SortOrder } from './iceberg-metadata.js';
import { tokenSource, type ClientCredentials, type TokenSource } from './oauth.js';

export * from './iceberg-metadata.js';

/** Polaris' realm; forge uses one. */
export const POLARIS_REALM = 'POLARIS';
/** Sent with every request to Polaris. */
export const REALM_HEADER = { 'Polaris-Realm': POLARIS_REALM } as const;

export interface IcebergTarget {
  /** Without `/v1`: `http://127.0.0.1:18181` or `http://127.0.0.1:18181/api/catalog`. */
  base: string;
  /** Asked for at v1/config; Polaris: the catalog's name. */
  warehouse?: string;
  headers?: Record<string, string>;
  /** Without it no token is sent. */
  token?: TokenSource;
  /** As errors call it: `Polaris`. */
  label: string;
}

export interface CreateTable {
  name: string;
  schema: IcebergSchema;
  'partition-spec': PartitionSpec;
  'write-order': SortOrder;
  properties: Record<string, string>;
}

/** A requirement or an update of a commit, as the REST specification has it. */
export type CommitPart = { [key: string]: unknown } & ({ type: string } | { action: string });

export interface IcebergCatalog {
  /** Answers when the catalog serves this warehouse. Throws CATALOG_NOT_FOUND (Polaris: no catalog of that name). */
  config(signal?: AbortSignal): Promise<{ defaults: Record<string, string>; overrides: Record<string, string> }>;
  listNamespaces(signal?: AbortSignal): Promise<string[]>;
  /** Its properties; undefined when there is no such namespace. */
  loadNamespace(namespace: string, signal?: AbortSignal): Promise<Record<string, string> | undefined>;
  /** False when it was there already. */
  createNamespace(namespace: string, properties: Record<string, string>, signal?: AbortSignal): Promise<boolean>;
  updateProperties(namespace: string, updates: Record<string, string>, removals: string[], signal?: AbortSignal): Promise<void>;
  /** False when there was none. Throws NAMESPACE_NOT_EMPTY. */
  dropNamespace(namespace: string, signal?: AbortSignal): Promise<boolean>;
  /** Undefined when there is no such namespace. */
  listTables(namespace: string, signal?: AbortSignal): Promise<string[] | undefined>;
  /**
   * Undefined when there is no such table. Throws TABLE_UNREADABLE when it is listed and its metadata cannot be read.
   * `vended` asks for keys to its objects, which come in `config`.
   */
  loadTable(namespace: string, table: string, signal?: AbortSignal, options?: { vended?: boolean }): Promise<LoadTableResult | undefined>;
  /** Undefined when it was there already. */
  createTable(namespace: string, table: CreateTable, signal?: AbortSignal): Promise<LoadTableResult | undefined>;
  commitTable(namespace: string, table: string, requirements: CommitPart[], updates: CommitPart[], signal?: AbortSignal): Promise<void>;
  /** False when there was none. Its files stay unless `purge` is set. */
  dropTable(namespace: string, table: string, options?: { purge?: boolean; signal?: AbortSignal }): Promise<boolean>;
}

interface ErrorBody {
  error?: { message?: string; type?: string; code?: number };
}
const MISSING = new Set(['NoSuchNamespaceException', 'NoSuchTableException']);

function errorOf(answer: HttpAnswer): { type: string; message: string } {
  try {
    const { error } = JSON.parse(answer.text) as ErrorBody;
    return { type: error?.type ?? '', message: error?.message ?? '' };
  } catch {
    return { type: '', message: answer.text.slice(0, 200) };
  }
}

/** Connections that the Iceberg REST catalog keeps to its database (its own default). */
const KEPT_CONNECTIONS = 2;
const isStaleConnection = (answer: HttpAnswer): boolean => answer.status === 500 && errorOf(answer).type === 'UncheckedSQLException';

/** A client of one Iceberg REST catalog. What is missing is a value; what fails is a ForgeError that names the server. */
export function icebergCatalog(target: IcebergTarget): IcebergCatalog {
  const host = new URL(target.base).host;
  let prefix: string | undefined;

  async function call(
    method: string,
    path: string,
    signal: AbortSignal | undefined,
    json?: unknown,
    more: Record<string, string> = {},
  ): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt++) {
      const token = await target.token?.get(signal);
      const headers: Record<string, string> = { accept: 'application/json', ...target.headers, ...more };
      if (token !== undefined) headers['authorization'] = `Bearer ${token.reveal()}`;
      const body = json === undefined ? {} : { json };
      const answer = await request(`${target.base}/v1/${path}`, { method, headers, ...body, ...(signal && { signal }), timeoutMs: 20_000 });
      // After its database was restarted, each connection that the catalog had kept fails one request, and is then made anew.
      if (method === 'GET' && attempt <= KEPT_CONNECTIONS && isStaleConnection(answer)) continue;
      // A restarted server may not know its own token any more.
      if (answer.status !== 401 || target.token === undefined || attempt > 1) return answer;
      target.token.forget();
    }
  }

  function failed(answer: HttpAnswer, doing: string, code = 'CATALOG_FAILED'): ForgeError {
    const { type, message } = errorOf(answer);
    const refused = answer.status === 401 || answer.status === 403;
    const detail = [type, message].filter(Boolean).join(': ');
    return serverError({
      code: refused ? 'CATALOG_REFUSED' : code,
      message: redact(`${target.label} on ${host} answered ${answer.status} to ${doing}${detail === '' ? '' : `: ${detail}`}`),
      hint: refused
        ? 'The principal lacks a role or a privilege; `forge up` puts them back'
        : `See \`forge logs ${target.token === undefined ? 'iceberg-rest' : 'polaris'}\``,
    });
  }
  const isMissing = (answer: HttpAnswer): boolean => answer.status === 404 && MISSING.has(errorOf(answer).type);

  async function config(signal?: AbortSignal) {
    const query = target.warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(target.warehouse)}`;
    const answer = await call('GET', `config${query}`, signal);
    if (!answer.ok)
      throw failed(
        answer,
        `the question for catalog ${target.warehouse ?? ''}`.trim(),
        answer.status === 404 ? 'CATALOG_NOT_FOUND' : undefined,
      );
    const { defaults = {}, overrides = {} } = answer.json<{ defaults?: Record<string, string>; overrides?: Record<string, string> }>();
    prefix = overrides['prefix'] ?? defaults['prefix'] ?? '';
    return { defaults, overrides };
  }
  async function at(signal: AbortSignal | undefined, ...segments: string[]): Promise<string> {
    if (prefix === undefined) await config(signal);
    return [...(prefix === '' ? [] : [prefix!]), 'namespaces', ...segments].map(encodeURIComponent).join('/');
  }
  async function pages<T>(path: string, signal: AbortSignal | undefined, read: (answer: HttpAnswer) => T[]): Promise<T[] | undefined> {
    const found: T[] = [];
    for (let page: string | undefined; ;) {
      const answer = await call('GET', page === undefined ? path : `${path}?pageToken=${encodeURIComponent(page)}`, signal);
      if (isMissing(answer)) return undefined;
      if (!answer.ok) throw failed(answer, `GET ${path}`);
      found.push(...read(answer));
      page = answer.json<{ 'next-page-token'?: string | null }>()['next-page-token'] ?? undefined;
      if (page === undefined) return found;
    }
  }

  return {
    config,
    async listNamespaces(signal) {
      const read = (answer: HttpAnswer) => answer.json<{ namespaces: string[][] }>().namespaces.map((levels) => levels.join('.'));
      return (await pages(await at(signal), signal, read)) ?? [];
    },
    async loadNamespace(namespace, signal) {
      const answer = await call('GET', await at(signal, namespace), signal);
      if (isMissing(answer)) return undefined;
      if (!answer.ok) throw failed(answer, `looking for namespace ${namespace}`);
      return answer.json<{ properties?: Record<string, string> | null }>().properties ?? {};
    },
    async createNamespace(namespace, properties, signal) {
      const answer = await call('POST', await at(signal), signal, { namespace: [namespace], properties });
      if (answer.status === 409) return false;
      if (!answer.ok) throw failed(answer, `creating namespace ${namespace}`);
      return true;
    },
    async updateProperties(namespace, updates, removals, signal) {
      const answer = await call('POST', `${await at(signal, namespace)}/properties`, signal, { updates, removals });
      if (!answer.ok) throw failed(answer, `changing the properties of namespace ${namespace}`);
    },
    async dropNamespace(namespace, signal) {
      const answer = await call('DELETE', await at(signal, namespace), signal);
      if (isMissing(answer)) return false;
      if (answer.status === 409 || errorOf(answer).type === 'NamespaceNotEmptyException')
        throw failed(answer, `dropping namespace ${namespace}`, 'NAMESPACE_NOT_EMPTY');
      if (!answer.ok) throw failed(answer, `dropping namespace ${namespace}`);
      return true;
    },
    async listTables(namespace, signal) {
      const read = (answer: HttpAnswer) => answer.json<{ identifiers: { name: string }[] }>().identifiers.map(({ name }) => name);
      return pages(`${await at(signal, namespace)}/tables`, signal, read);
    },
    async loadTable(namespace, table, signal, { vended = false } = {}) {
      const headers: Record<string, string> = vended ? { 'x-iceberg-access-delegation': 'vended-credentials' } : {};
      const answer = await call('GET', await at(signal, namespace, 'tables', table), signal, undefined, headers);
      if (isMissing(answer)) return undefined;
      if (!answer.ok) throw failed(answer, `loading table ${namespace}.${table}`, 'TABLE_UNREADABLE');
      return answer.json<LoadTableResult>();
    },
    async createTable(namespace, table, signal) {
      const answer = await call('POST', `${await at(signal, namespace)}/tables`, signal, { ...table, 'stage-create': false });
      if (answer.status === 409) return undefined;
      if (!answer.ok) throw failed(answer, `creating table ${namespace}.${table.name}`);
      return answer.json<LoadTableResult>();
    },
    async commitTable(namespace, table, requirements, updates, signal) {
      const identifier = { namespace: [namespace], name: table };
      const answer = await call('POST', await at(signal, namespace, 'tables', table), signal, { identifier, requirements, updates });
      if (!answer.ok) throw failed(answer, `changing table ${namespace}.${table}`);
    },
    async dropTable(namespace, table, { purge = false, signal } = {}) {
      const path = await at(signal, namespace, 'tables', table);
      const answer = await call('DELETE', `${path}?purgeRequested=${purge}`, signal);
      if (isMissing(answer)) return false;
      if (!answer.ok) throw failed(answer, `dropping table ${namespace}.${table}`);
      return true;
    },
  };
}

const CREDENTIALS = { root: 'polaris-root', principal: 'polaris-principal' } as const;

/** The credentials in .forge/credentials/NAME.json. Throws CREDENTIAL_MISSING. */
export function clientCredentials(stack: StackContext, name: string): ClientCredentials {
  const { clientId, clientSecret } = stack.credentials.get(name);
  if (clientId === undefined || clientSecret === undefined)
    throw serverError({
      code: 'CREDENTIAL_UNREADABLE',
      message: `.forge/credentials/${name}.json lacks clientId or clientSecret`,
      hint: 'Remove the file and run `forge up`',
    });
  return { clientId, clientSecret };
}

/** Base address of the stack's Iceberg REST catalog, without `/v1`. */
export function catalogBase(stack: StackContext): string {
  const endpoint = stack.endpoints['catalog'];
  if (endpoint === undefined) throw new Error('the stack has no endpoint named catalog');
  return `http://${endpoint.host}:${endpoint.port}${stack.catalog === 'polaris' ? '/api/catalog' : ''}`;
}

/** Tokens of the root user or of the principal that the pipeline uses. */
export function polarisTokens(stack: StackContext, who: keyof typeof CREDENTIALS): TokenSource {
  const name = CREDENTIALS[who];
  return tokenSource({
    url: `${catalogBase(stack)}/v1/oauth/tokens`,
    credentials: () => clientCredentials(stack, name),
    headers: REALM_HEADER,
    from: `.forge/credentials/${name}.json`,
  });
}

const connected = new WeakMap<StackContext, Map<string, IcebergCatalog>>();

/**
 * The stack's catalog, whichever it is. With Polaris, `root` sees namespaces and may not touch tables, and `warehouse` names
 * another catalog than the stack's.
 */
export function stackCatalog(
  stack: StackContext,
  who: keyof typeof CREDENTIALS = 'principal',
  warehouse = stack.config.lake.catalog,
): IcebergCatalog {
  const known = connected.get(stack) ?? new Map<string, IcebergCatalog>();
  connected.set(stack, known);
  const base = catalogBase(stack);
  // Endpoints may be resolved anew within one context.
  const key = JSON.stringify([base, who, warehouse]);
  const polaris = () => ({ base, label: 'Polaris', warehouse, headers: REALM_HEADER, token: polarisTokens(stack, who) });
  const catalog = known.get(key) ?? icebergCatalog(stack.catalog === 'polaris' ? polaris() : { base, label: 'The Iceberg REST catalog' });
  known.set(key, catalog);
  return catalog;
}
