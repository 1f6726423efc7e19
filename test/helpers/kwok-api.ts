import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { parse } from 'yaml';

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

/** An object of Kubernetes, as far as tests look at it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; name: string }[];
    managedFields?: { manager: string; operation: string; fieldsV1?: unknown }[];
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  data?: Record<string, string>;
}

/** What kubectl would be used for, behind forge's back and without forge's own client. */
export interface KubeApi {
  /** Undefined when there is no such thing. */
  get<T = KubeObject>(path: string): Promise<T | undefined>;
  list(path: string): Promise<KubeObject[]>;
  create(path: string, object: object): Promise<KubeObject>;
  /** As `kubectl patch` does; JSON is merged. */
  patch(path: string, change: object): Promise<KubeObject>;
  /** As `kubectl apply --server-side` does: `manager` owns what the object says from now on. */
  apply(path: string, object: object, options: { manager: string; force?: boolean; dryRun?: boolean }): Promise<KubeObject>;
  /** Deletes one object and waits until it is gone. */
  delete(path: string, options?: { gracePeriodSeconds?: number }): Promise<void>;
}

/** Where the kinds are that forge makes, or that come of them. */
const PLACES: Record<string, { group: string; plural: string; cluster?: true }> = {
  Namespace: { group: '/api/v1', plural: 'namespaces', cluster: true },
  Node: { group: '/api/v1', plural: 'nodes', cluster: true },
  PersistentVolume: { group: '/api/v1', plural: 'persistentvolumes', cluster: true },
  Service: { group: '/api/v1', plural: 'services' },
  Secret: { group: '/api/v1', plural: 'secrets' },
  ConfigMap: { group: '/api/v1', plural: 'configmaps' },
  PersistentVolumeClaim: { group: '/api/v1', plural: 'persistentvolumeclaims' },
  Pod: { group: '/api/v1', plural: 'pods' },
  Deployment: { group: '/apis/apps/v1', plural: 'deployments' },
  StatefulSet: { group: '/apis/apps/v1', plural: 'statefulsets' },
  Job: { group: '/apis/batch/v1', plural: 'jobs' },
};

/** The address of an object; without a name that of all of its kind. */
export function placeOf(kind: string, namespace?: string, name?: string): string {
  const { group, plural, cluster } = PLACES[kind]!;
  const parts = [group, ...(cluster || namespace === undefined ? [] : ['namespaces', namespace]), plural];
  return [...parts, ...(name === undefined ? [] : [name])].join('/');
}

/** Everything with this label, as `Kind namespace/name`. */
export async function labelled(api: KubeApi, selector: string): Promise<string[]> {
  const query = new URLSearchParams({ labelSelector: selector }).toString();
  const found = await Promise.all(
    Object.keys(PLACES).map(async (kind) =>
      (await api.list(`${placeOf(kind)}?${query}`)).map(({ metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`),
    ),
  );
  return found.flat().sort();
}

/** An answer of 400 or more. */
export class KubeRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Talks to the API server of a kubeconfig that holds a client certificate. */
export function kubeApi(kubeconfig: string): KubeApi {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const [{ cluster }, { user }] = [clusters[0]!, users[0]!];
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  const tls = {
    ca: bytes(cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data']),
  };

  const ask = <T>(method: string, path: string, body?: object, type = 'application/json'): Promise<T> =>
    new Promise((resolve, reject) => {
      const sentBody = body === undefined ? undefined : JSON.stringify(body);
      // Node sends no length of itself with DELETE, and the body would be read as another request.
      const headers = sentBody === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(sentBody) };
      const sent = request(new URL(path, cluster.server), { ...tls, method, headers, timeout: 30_000 }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', reject).on('end', () => {
          const status = response.statusCode ?? 0;
          const answer = JSON.parse(text) as T & { message?: string };
          if (status < 400) resolve(answer);
          else reject(new KubeRefusal(status, `${method} ${path}: ${status} ${answer.message ?? text}`));
        });
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)));
      sent.end(sentBody);
    });

  const api: KubeApi = {
    get: <T>(path: string) =>
      ask<T>('GET', path).catch((error: unknown) => {
        if (error instanceof KubeRefusal && error.status === 404) return undefined;
        throw error;
      }),
    list: async (path) => (await ask<{ items: KubeObject[] }>('GET', path)).items,
    create: (path, object) => ask('POST', path, object),
    patch: (path, change) => ask('PATCH', `${path}?fieldManager=kubectl-patch`, change, 'application/merge-patch+json'),
    apply(path, object, { manager, force = false, dryRun = false }) {
      const query = new URLSearchParams({ fieldManager: manager, fieldValidation: 'Strict', force: String(force) });
      if (dryRun) query.set('dryRun', 'All');
      return ask('PATCH', `${path}?${query.toString()}`, object, 'application/apply-patch+yaml');
    },
    async delete(path, options = {}) {
      await ask('DELETE', path, { propagationPolicy: 'Background', ...options });
      const deadline = Date.now() + 30_000;
      while ((await api.get(path)) !== undefined) {
        if (Date.now() > deadline) throw new Error(`${path} was deleted and is still there`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
  return api;
}
