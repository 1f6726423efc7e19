/** Which cluster: a kubeconfig (or several, as in KUBECONFIG) and a context in it. Nothing else is ever used. */
export interface KubeTarget {
  kubeconfig: string;
  context: string;
}

export interface KubeRef {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string | undefined;
}

export interface KubeOwner {
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** Which fields a manager holds; `fieldsV1` is the tree of their names. */
export interface ManagedFields {
  manager: string;
  operation: 'Apply' | 'Update';
  subresource?: string;
  fieldsV1?: Record<string, unknown>;
}

export interface KubeMetadata {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  ownerReferences?: KubeOwner[];
  managedFields?: ManagedFields[];
}

/** Any object, as the server sends it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: KubeMetadata;
  [field: string]: unknown;
}

/** Which objects to list or to watch; without a namespace, those of all of them. */
export interface KubeQuery {
  apiVersion: string;
  kind: string;
  namespace?: string | undefined;
  /** `app=kafka,forge.dev/stack=…` */
  labels?: string | undefined;
  /** `metadata.name=kafka` */
  fields?: string | undefined;
  /** Names, labels and owners only: what is inside stays on the server. */
  metadataOnly?: boolean;
}

export interface KubeList<T> {
  items: T[];
  resourceVersion: string;
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

/** A kind of object that this server has. */
export interface KubeResource {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
}

export interface PodRef {
  namespace: string;
  pod: string;
  container?: string | undefined;
}

export interface LogOptions {
  tailLines?: number;
  /** Of the container that ended before the present one. */
  previous?: boolean;
  sinceSeconds?: number;
  timestamps?: boolean;
  signal?: AbortSignal | undefined;
}

export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeRef => ({ apiVersion, kind, name, namespace });

/** `Deployment kafka/kafka`, `Namespace kafka`. */
export const nameOf = ({ kind, namespace, name }: Pick<KubeRef, 'kind' | 'namespace' | 'name'>): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
