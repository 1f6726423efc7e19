import { literal, type RisingWave } from './connect.js';
import type { ObjectKind, ObjectName } from './statements.js';

/** An object as RisingWave's own catalog shows it; `definition` has the credentials in clear. */
export interface FoundObject extends ObjectName {
  id: number;
  definition: string;
}

/** Anything that reads something else, whoever made it. */
export interface Relation {
  id: number;
  /** As in `materialized view`, `table`, `index`. */
  kind: string;
  name: string;
  /** Whether it is in the schema that forge makes its objects in. */
  isPublic: boolean;
}

const CATALOG: Record<ObjectKind, string> = {
  source: 'rw_sources',
  'materialized view': 'rw_materialized_views',
  sink: 'rw_sinks',
};

const publicSchema = (client: RisingWave): Promise<number | undefined> => schemaId(client, 'public');

export async function schemaId(client: RisingWave, name: string): Promise<number | undefined> {
  const [schema] = await client.query<{ id: number }>(`SELECT id FROM rw_catalog.rw_schemas WHERE name = ${literal(name)}`);
  return schema?.id;
}

export async function findObject(client: RisingWave, { kind, name }: ObjectName): Promise<FoundObject | undefined> {
  const schema = await publicSchema(client);
  const [found] = await client.query<{ id: number; definition: string }>(
    `SELECT id, definition FROM rw_catalog.${CATALOG[kind]} WHERE name = ${literal(name)} AND schema_id = ${schema ?? -1}`,
  );
  return found === undefined ? undefined : { kind, name, ...found };
}

/** The names of all objects of a kind. */
export async function namesOf(client: RisingWave, kind: ObjectKind): Promise<string[]> {
  const schema = await publicSchema(client);
  const rows = await client.query<{ name: string }>(`SELECT name FROM rw_catalog.${CATALOG[kind]} WHERE schema_id = ${schema ?? -1}`);
  return rows.map(({ name }) => name);
}

/** All that reads an object, directly or through others; what nothing else reads comes first. */
export async function dependentsOf(client: RisingWave, id: number): Promise<Relation[]> {
  const schema = await publicSchema(client);
  const edges = await client.query<{ objid: number; refobjid: number }>('SELECT objid, refobjid FROM rw_catalog.rw_depend');
  const relations = await client.query<{ id: number; name: string; relation_type: string; schema_id: number }>(
    'SELECT id, name, relation_type, schema_id FROM rw_catalog.rw_relations',
  );
  const byId = new Map(relations.map((relation) => [relation.id, relation]));
  const order: number[] = [];
  const visit = (at: number): void => {
    for (const { objid } of edges.filter(({ refobjid }) => refobjid === at)) if (!order.includes(objid)) visit(objid);
    order.push(at);
  };
  visit(id);
  return order.slice(0, -1).flatMap((at) => {
    const found = byId.get(at);
    return found === undefined ? [] : [{ id: at, kind: found.relation_type, name: found.name, isPublic: found.schema_id === schema }];
  });
}

/** How far each job is, by name: `INITIAL`, `CREATING` or `CREATED`. */
export async function jobStates(client: RisingWave): Promise<Map<string, string>> {
  const jobs = await client.query<{ name: string; status: string }>('SELECT name, status FROM rw_catalog.rw_streaming_jobs');
  return new Map(jobs.map(({ name, status }) => [name, status]));
}

export async function serverVersion(client: RisingWave): Promise<string> {
  const [row] = await client.query<{ version: string }>('SELECT version() AS version');
  return row?.version ?? '';
}
