/** A column, as Iceberg's JSON has it. */
export interface IcebergField {
  id: number;
  name: string;
  /** A primitive type (`long`), or an object for a nested one. */
  type: string | object;
  required: boolean;
  doc?: string;
}

export interface IcebergSchema {
  type: 'struct';
  'schema-id'?: number;
  fields: IcebergField[];
  'identifier-field-ids'?: number[];
}

export interface PartitionField {
  'source-id': number;
  'field-id'?: number;
  name: string;
  transform: string;
}

export interface PartitionSpec {
  'spec-id'?: number;
  fields: PartitionField[];
}

export interface SortField {
  'source-id': number;
  transform: string;
  direction: 'asc' | 'desc';
  'null-order': 'nulls-first' | 'nulls-last';
}

export interface SortOrder {
  'order-id': number;
  fields: SortField[];
}

export interface Snapshot {
  'snapshot-id': number;
  'sequence-number'?: number;
  'timestamp-ms': number;
  'manifest-list': string;
  summary: Record<string, string>;
}

/** Iceberg's table metadata: the part that forge reads. Snapshot ids are rounded (64 bits in JSON); good for comparing only. */
export interface TableMetadata {
  'format-version': number;
  'table-uuid': string;
  location: string;
  'last-column-id': number;
  schemas: IcebergSchema[];
  'current-schema-id': number;
  'partition-specs': PartitionSpec[];
  'default-spec-id': number;
  /** Not in format version 1. */
  'last-partition-id'?: number;
  'sort-orders': SortOrder[];
  'default-sort-order-id': number;
  properties?: Record<string, string>;
  'current-snapshot-id'?: number | null;
  snapshots?: Snapshot[];
}

export interface LoadTableResult {
  'metadata-location'?: string | null;
  metadata: TableMetadata;
  config?: Record<string, string>;
}

export interface TableFacts {
  uuid: string;
  location: string;
  metadataLocation: string | undefined;
  formatVersion: number;
  snapshots: number;
  /** When the current snapshot was committed (ISO); null before the first commit. */
  lastCommit: string | null;
  /** Rows of the current snapshot, as its summary counts them. */
  rows: number;
  schema: IcebergSchema;
  partitionSpec: PartitionSpec;
  sortOrder: SortOrder;
}

const UNPARTITIONED: PartitionSpec = { 'spec-id': 0, fields: [] };
const UNSORTED: SortOrder = { 'order-id': 0, fields: [] };

/** What a loaded table says of itself, from its metadata alone: no data file is read. */
export function tableFacts({ metadata, 'metadata-location': metadataLocation }: LoadTableResult): TableFacts {
  const current = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id']);
  return {
    uuid: metadata['table-uuid'],
    location: metadata.location,
    metadataLocation: metadataLocation ?? undefined,
    formatVersion: metadata['format-version'],
    snapshots: metadata.snapshots?.length ?? 0,
    lastCommit: current === undefined ? null : new Date(current['timestamp-ms']).toISOString(),
    rows: Number(current?.summary['total-records'] ?? 0),
    schema: metadata.schemas.find((schema) => schema['schema-id'] === metadata['current-schema-id']) ?? { type: 'struct', fields: [] },
    partitionSpec: metadata['partition-specs'].find((spec) => spec['spec-id'] === metadata['default-spec-id']) ?? UNPARTITIONED,
    sortOrder: metadata['sort-orders'].find((order) => order['order-id'] === metadata['default-sort-order-id']) ?? UNSORTED,
  };
}
