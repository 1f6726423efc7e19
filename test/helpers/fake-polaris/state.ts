import { createHash, randomBytes } from 'node:crypto';

/** What Polaris keeps of one realm. Secrets are hashes: it shows them once. */
export interface RealmState {
  catalogs: Record<string, CatalogState>;
  principals: Record<string, PrincipalState>;
  principalRoles: Record<string, { entity: Entity; catalogRoles: Record<string, string[]> }>;
}

export interface Entity {
  name: string;
  entityVersion: number;
  createTimestamp: number;
  lastUpdateTimestamp: number;
  properties: Record<string, string>;
}

export interface PrincipalState {
  entity: Entity & { clientId: string };
  secretHash: string;
  roles: string[];
}

export interface CatalogState {
  entity: Entity & { type: 'INTERNAL'; storageConfigInfo: { storageType: string; allowedLocations: string[]; [key: string]: unknown } };
  roles: Record<string, { entity: Entity; grants: { type: 'catalog'; privilege: string }[] }>;
  namespaces: Record<string, { properties: Record<string, string>; tables: Record<string, TableState> }>;
}

export interface TableState {
  metadataLocation: string;
  version: number;
  metadata: Metadata;
}

/** Iceberg table metadata as plain JSON. */
export type Metadata = Record<string, unknown>;

/** Where a realm is kept; `load` gives undefined while it is not bootstrapped. */
export interface Store {
  load(): Promise<RealmState | undefined>;
  save(state: RealmState): Promise<void>;
}

export const ROOT = 'root';
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
export const newClientId = (): string => randomBytes(8).toString('hex');
export const newSecret = (): string => randomBytes(16).toString('hex');

export function newEntity(name: string, properties: Record<string, string> = {}): Entity {
  const now = Date.now();
  return { name, entityVersion: 1, createTimestamp: now, lastUpdateTimestamp: now, properties };
}

export function touch(entity: Entity): void {
  entity.entityVersion++;
  entity.lastUpdateTimestamp = Date.now();
}

/** A realm as bootstrapping leaves it. */
export function newRealm(clientId: string, clientSecret: string): RealmState {
  const root: PrincipalState = { entity: { ...newEntity(ROOT), clientId }, secretHash: hashOf(clientSecret), roles: ['service_admin'] };
  return {
    catalogs: {},
    principals: { [ROOT]: root },
    principalRoles: { service_admin: { entity: newEntity('service_admin'), catalogRoles: {} } },
  };
}

export function memoryStore(state?: RealmState): Store & { state: RealmState | undefined } {
  const store = {
    state,
    load: () => Promise.resolve(store.state),
    save: (next: RealmState) => {
      store.state = next;
      return Promise.resolve();
    },
  };
  return store;
}

const MARK = '@@long:';

/** JSON whose 64-bit numbers survive: Iceberg's snapshot ids are not for JavaScript's numbers. */
export const parseJson = (text: string): unknown =>
  JSON.parse(text.replace(/([:[,]\s*)(-?\d{16,})(?=\s*[,\]}])/g, `$1"${MARK}$2"`)) as unknown;
export const writeJson = (value: unknown): string => JSON.stringify(value).replace(new RegExp(`"${MARK}(-?\\d+)"`, 'g'), '$1');
