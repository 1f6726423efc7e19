import type { Entry, Event, State } from './state.js';

/** OIDs of PostgreSQL's types. */
export const OID = { int4: 23, int8: 20, varchar: 1043, bool: 16, timestamptz: 1184, jsonb: 3802, numeric: 1700 } as const;
export type Oid = (typeof OID)[keyof typeof OID];
export type Value = string | number | boolean | null;
export interface Table {
  columns: Record<string, Oid>;
  rows: Record<string, Value>[];
}

const { int4, int8, varchar, timestamptz, jsonb } = OID;

const of = (state: State, kind: string): Entry[] => state.entries.filter((entry) => entry.kind === kind);
const RELATION = { id: int4, name: varchar, schema_id: int4, owner: int4, definition: varchar, acl: varchar };
const relation = (state: State, { id, name, schema, definition }: Entry) => ({
  id,
  name,
  schema_id: state.schemas.get(schema)!,
  owner: 1,
  definition,
  acl: '{}',
});

const eventsOf = ({ events, barrierAt }: State): Event[] => {
  const at = barrierAt();
  return at === undefined ? events : [...events, { at, type: 'BARRIER_COMPLETE', info: { barrierComplete: { command: 'barrier' } } }];
};

/** Tables of rw_catalog, with those of their columns that may be relied on. */
export const SYSTEM: Record<string, (state: State) => Table> = {
  rw_schemas: (state) => ({
    columns: { id: int4, name: varchar, owner: int4 },
    rows: [...state.schemas].map(([name, id]) => ({ id, name, owner: 1 })),
  }),
  rw_tables: (state) => ({ columns: RELATION, rows: of(state, 'table').map((entry) => relation(state, entry)) }),
  rw_sources: (state) => ({
    columns: { ...RELATION, connector: varchar },
    rows: of(state, 'source').map((entry) => ({ ...relation(state, entry), connector: 'KAFKA' })),
  }),
  rw_materialized_views: (state) => ({
    columns: RELATION,
    rows: of(state, 'materialized view').map((entry) => relation(state, entry)),
  }),
  rw_sinks: (state) => ({
    columns: { ...RELATION, connector: varchar, sink_type: varchar, connector_props: jsonb },
    rows: of(state, 'sink').map((entry) => ({
      ...relation(state, entry),
      connector: 'ICEBERG',
      sink_type: 'APPEND_ONLY',
      connector_props: JSON.stringify(entry.options),
    })),
  }),
  rw_relations: (state) => ({
    columns: { ...RELATION, relation_type: varchar },
    rows: state.entries.map((entry) => ({ ...relation(state, entry), relation_type: entry.kind })),
  }),
  rw_depend: (state) => ({
    columns: { objid: int4, refobjid: int4 },
    rows: state.entries.flatMap(({ id, reads }) => reads.map((refobjid) => ({ objid: id, refobjid }))),
  }),
  rw_streaming_jobs: (state) => ({
    columns: { name: varchar, status: varchar, parallelism: varchar },
    rows: state.entries.map(({ name, status }) => ({ name, status, parallelism: 'ADAPTIVE' })),
  }),
  rw_ddl_progress: (state) => ({
    columns: { ddl_id: int8, ddl_statement: varchar, progress: varchar },
    rows: state.entries
      .filter(({ status }) => status !== 'CREATED')
      .map(({ id, definition }) => ({ ddl_id: id, ddl_statement: definition, progress: '43.21%' })),
  }),
  rw_event_logs: (state) => ({
    columns: { unique_id: varchar, timestamp: timestamptz, event_type: varchar, info: jsonb },
    rows: eventsOf(state).map(({ at, type, info }, index) => ({
      unique_id: String(index),
      timestamp: `${at.toISOString().replace('T', ' ').replace('Z', '')}+00:00`,
      event_type: type,
      info: JSON.stringify(info),
    })),
  }),
  rw_worker_nodes: (state) => ({
    columns: { id: int4, type: varchar, state: varchar, parallelism: int4, rw_version: varchar, started_at: timestamptz },
    rows: state.workers.map(({ type, state: is }, id) => ({ id, type, state: is, parallelism: 2, rw_version: '3.0.3', started_at: null })),
  }),
  rw_kafka_job_lag: (state) => ({
    columns: { lag_phase: varchar, high_watermark: int8, consumer_offset: int8, lag: int8 },
    rows: of(state, 'source').map(() => ({ lag_phase: 'LIVE', high_watermark: state.lag, consumer_offset: 0, lag: state.lag })),
  }),
};
