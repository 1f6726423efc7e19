import type { KubeConfig } from '@kubernetes/client-node';
import type {
  ExecResult,
  KubeList,
  KubeObject,
  KubeQuery,
  KubeRef,
  KubeResource,
  KubeTarget,
  LogOptions,
  PodRef,
  WatchEvent,
} from './kubernetes-types.js';

export interface Call {
  signal?: AbortSignal | undefined;
}

export interface ApplyOptions extends Call {
  /** What would become of the object, without changing it. */
  dryRun?: boolean;
  /** Take fields over from other managers; without it that is a KubeError 409 whose causes name them. */
  force?: boolean;
  fieldManager?: string;
}

export interface DeleteOptions extends Call {
  /** Only the very object with this uid; one that was made anew since is left alone (409). */
  uid?: string | undefined;
  /** Foreground: the object stays until all that it owns is gone. */
  propagation?: 'Background' | 'Foreground' | 'Orphan';
  graceSeconds?: number;
}

/** One cluster. What is not there is `undefined`; all else that is not a success is a KubeError. */
export interface KubeClient {
  readonly target: KubeTarget;
  /** `host:port` of the API server, for messages. */
  readonly server: string;
  get<T extends KubeObject>(ref: KubeRef, options?: Call): Promise<T | undefined>;
  /** All pages. A kind that the server does not have has no objects. `fresh`: on a connection of its own. */
  list<T extends KubeObject>(query: KubeQuery, options?: Call & { fresh?: boolean }): Promise<KubeList<T>>;
  create<T extends KubeObject>(object: KubeObject, options?: Call & { dryRun?: boolean }): Promise<T>;
  /** Server-side apply with strict validation. */
  serverSideApply<T extends KubeObject>(object: KubeObject, options?: ApplyOptions): Promise<T>;
  /** JSON merge patch, of a subresource (`scale`, `status`) where one is named; undefined when the object is not there. */
  patch<T extends KubeObject>(ref: KubeRef, patch: unknown, options?: Call & { subresource?: string }): Promise<T | undefined>;
  /** False when there was none. It may take its time to go: see `metadata.deletionTimestamp`. */
  delete(ref: KubeRef, options?: DeleteOptions): Promise<boolean>;
  /** Events from a version on; ends when the server ends it, or when nothing came for `idleMs`. Better: `followObjects`. */
  watch<T extends KubeObject>(query: KubeQuery, options: Call & { resourceVersion: string; idleMs: number }): AsyncGenerator<WatchEvent<T>>;
  /** What a container wrote; undefined when it, or the pod, is not there (yet). */
  logs(pod: PodRef, options?: LogOptions): Promise<string | undefined>;
  /** Lines as they come, until the container ends. */
  followLogs(pod: PodRef, options?: LogOptions): AsyncGenerator<string>;
  exec(pod: PodRef, command: string[], options?: Call & { stdin?: string }): Promise<ExecResult>;
  version(options?: Call & { timeoutMs?: number }): Promise<{ gitVersion: string }>;
  /** Every kind of object that the server has. */
  resources(options?: Call): Promise<KubeResource[]>;
  /** For port-forwards: the client library's own form, which takes 0.4 s to load. */
  kubeConfig(): Promise<KubeConfig>;
}
