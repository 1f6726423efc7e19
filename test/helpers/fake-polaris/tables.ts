import { randomUUID } from 'node:crypto';
import { badRequest, object, Refusal, text, texts } from './http.js';
import type { Metadata, TableState } from './state.js';

type Json = Record<string, unknown>;
const list = (metadata: Metadata, key: string): Json[] => (metadata[key] as Json[] | undefined) ?? [];
const maxOf = (values: number[], floor: number): number => Math.max(floor, ...values);

/** Metadata of a new table, as the specification wants it. */
export function createTable(body: unknown, namespaceLocation: string): TableState & { name: string } {
  const asked = object(body, ['name', 'schema'], ['location', 'partition-spec', 'write-order', 'stage-create', 'properties']);
  if (asked['stage-create'] === true) throw badRequest('staged creation is not for this fake');
  const name = text(asked['name'], 'name');
  const schema = object(asked['schema'], ['type', 'fields'], ['schema-id', 'identifier-field-ids']);
  const fields = schema['fields'] as Json[];
  const { 'format-version': version = '2', ...properties } = texts(asked['properties'], 'properties');
  const location = asked['location'] === undefined ? `${namespaceLocation}/${name}` : text(asked['location'], 'location');
  const spec = (asked['partition-spec'] ?? { fields: [] }) as Json;
  const order = (asked['write-order'] ?? { 'order-id': 0, fields: [] }) as Json;
  const specFields = (spec['fields'] as Json[]).map((field, at) => ({ ...field, 'field-id': field['field-id'] ?? 1000 + at }));
  const metadata: Metadata = {
    'format-version': Number(version),
    'table-uuid': randomUUID(),
    location,
    'last-sequence-number': 0,
    'last-updated-ms': Date.now(),
    'last-column-id': maxOf(
      fields.map((field) => Number(field['id'])),
      0,
    ),
    'current-schema-id': 0,
    schemas: [{ ...schema, 'schema-id': 0 }],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: specFields }],
    'last-partition-id': maxOf(
      specFields.map((field) => Number(field['field-id'])),
      999,
    ),
    'default-sort-order-id': order['order-id'],
    'sort-orders': [order],
    properties,
    'current-snapshot-id': -1,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  };
  return { name, version: 0, metadata, metadataLocation: `${location}/metadata/00000-${randomUUID()}.metadata.json` };
}

const REQUIRED: Record<string, string> = {
  'assert-table-uuid': 'uuid',
  'assert-current-schema-id': 'current-schema-id',
  'assert-default-spec-id': 'default-spec-id',
  'assert-default-sort-order-id': 'default-sort-order-id',
  'assert-last-assigned-field-id': 'last-assigned-field-id',
  'assert-last-assigned-partition-id': 'last-assigned-partition-id',
};
const KEPT_AS: Record<string, string> = {
  uuid: 'table-uuid',
  'last-assigned-field-id': 'last-column-id',
  'last-assigned-partition-id': 'last-partition-id',
};

function check(requirement: Json, metadata: Metadata): void {
  const type = text(requirement['type'], 'type');
  const failed = new Refusal(409, 'CommitFailedException', `Requirement failed: ${type}`);
  if (type === 'assert-create') throw failed;
  if (type === 'assert-ref-snapshot-id') {
    const ref = (metadata['refs'] as Record<string, Json>)[text(requirement['ref'], 'ref')];
    if ((ref?.['snapshot-id'] ?? null) !== (requirement['snapshot-id'] ?? null)) throw failed;
    return;
  }
  const key = REQUIRED[type];
  if (key === undefined) throw badRequest(`Cannot convert to requirement: ${type}`);
  if (requirement[key] !== metadata[KEPT_AS[key] ?? key]) throw failed;
}

/** Applies a commit, whole or not at all. */
export function commitTable(table: TableState, body: unknown): TableState {
  const asked = object(body, ['requirements', 'updates'], ['identifier']);
  const metadata = structuredClone(table.metadata);
  for (const requirement of asked['requirements'] as Json[]) check(requirement, table.metadata);
  const added: Record<string, number> = {};
  for (const update of asked['updates'] as Json[]) apply(update, metadata, added);
  metadata['last-updated-ms'] = Date.now();
  const log = list(metadata, 'metadata-log');
  metadata['metadata-log'] = [...log, { 'metadata-file': table.metadataLocation, 'timestamp-ms': table.metadata['last-updated-ms'] }];
  const version = table.version + 1;
  const file = `${String(version).padStart(5, '0')}-${randomUUID()}.metadata.json`;
  return { version, metadata, metadataLocation: `${String(metadata['location'])}/metadata/${file}` };
}

/** `-1` stands for what this commit added last. */
function lastAdded(id: unknown, added: Record<string, number>, what: string): number {
  if (id !== -1) return Number(id);
  const last = added[what];
  if (last === undefined) throw new Refusal(400, 'ValidationException', `Cannot set last added ${what}: no ${what} has been added`);
  return last;
}

function apply(update: Json, metadata: Metadata, added: Record<string, number>): void {
  const action = text(update['action'], 'action');
  const put = (key: string, id: string, entry: Json, what: string) => {
    // The same thing again takes the old id and counts as not added, as in Iceberg itself.
    const same = list(metadata, key).find((known) => JSON.stringify(known['fields']) === JSON.stringify(entry['fields']));
    if (same !== undefined) return;
    const next =
      maxOf(
        list(metadata, key).map((known) => Number(known[id])),
        -1,
      ) + 1;
    metadata[key] = [...list(metadata, key), { ...entry, [id]: next }];
    added[what] = next;
  };
  switch (action) {
    case 'assign-uuid':
      if (update['uuid'] !== metadata['table-uuid']) throw badRequest('Cannot reassign uuid');
      return;
    case 'upgrade-format-version':
      if (Number(update['format-version']) < Number(metadata['format-version'])) throw badRequest('Cannot downgrade');
      metadata['format-version'] = update['format-version'];
      return;
    case 'add-schema': {
      const schema = object(update['schema'], ['type', 'fields'], ['schema-id', 'identifier-field-ids']);
      put('schemas', 'schema-id', schema, 'schema');
      const ids = (schema['fields'] as Json[]).map((field) => Number(field['id']));
      metadata['last-column-id'] = maxOf(ids, Number(metadata['last-column-id']));
      return;
    }
    case 'set-current-schema':
      metadata['current-schema-id'] = lastAdded(update['schema-id'], added, 'schema');
      return;
    case 'add-spec': {
      const spec = update['spec'] as Json;
      // Seen of Iceberg's own server: without an id it answers 500.
      if (spec['spec-id'] === undefined) throw new Refusal(500, 'NullPointerException', 'spec-id');
      put('partition-specs', 'spec-id', spec, 'spec');
      const ids = (spec['fields'] as Json[]).map((field) => Number(field['field-id']));
      metadata['last-partition-id'] = maxOf(ids, Number(metadata['last-partition-id']));
      return;
    }
    case 'set-default-spec':
      metadata['default-spec-id'] = lastAdded(update['spec-id'], added, 'spec');
      return;
    case 'add-sort-order':
      put('sort-orders', 'order-id', update['sort-order'] as Json, 'sort order');
      return;
    case 'set-default-sort-order':
      metadata['default-sort-order-id'] = lastAdded(update['sort-order-id'], added, 'sort order');
      return;
    case 'set-properties':
      metadata['properties'] = { ...(metadata['properties'] as Json), ...texts(update['updates'], 'updates') };
      return;
    case 'remove-properties': {
      const gone = update['removals'] as string[];
      metadata['properties'] = Object.fromEntries(Object.entries(metadata['properties'] as Json).filter(([key]) => !gone.includes(key)));
      return;
    }
    case 'add-snapshot': {
      const snapshot = update['snapshot'] as Json;
      metadata['snapshots'] = [...list(metadata, 'snapshots'), snapshot];
      metadata['last-sequence-number'] = snapshot['sequence-number'];
      return;
    }
    case 'set-snapshot-ref': {
      const { action: _, 'ref-name': name, ...ref } = update;
      metadata['refs'] = { ...(metadata['refs'] as Json), [String(name)]: ref };
      if (name !== 'main') return;
      metadata['current-snapshot-id'] = ref['snapshot-id'];
      metadata['snapshot-log'] = [...list(metadata, 'snapshot-log'), { 'snapshot-id': ref['snapshot-id'], 'timestamp-ms': Date.now() }];
      return;
    }
    case 'remove-snapshots': {
      const gone = update['snapshot-ids'] as unknown[];
      metadata['snapshots'] = list(metadata, 'snapshots').filter((snapshot) => !gone.includes(snapshot['snapshot-id']));
      return;
    }
    default:
      throw badRequest(`Cannot convert metadata update: ${action}`);
  }
}
