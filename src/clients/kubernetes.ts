import { loadKubeConfig, openAccess, type KubeAccess } from './kubernetes-access.js';
import type { ApplyOptions, Call, KubeClient } from './kubernetes-client.js';
import { isKubeError, refusedError } from './kubernetes-error.js';
import { execInPod } from './kubernetes-exec.js';
import { kubeRequest, kubeStream, kubeText } from './kubernetes-request.js';
import { pathOf, resourcesOf } from './kubernetes-resources.js';
import { linesOf, listPages, watchEvents } from './kubernetes-watch.js';
import {
  nameOf,
  refOf,
  type KubeList,
  type KubeObject,
  type KubeQuery,
  type KubeRef,
  type KubeTarget,
  type LogOptions,
  type PodRef,
} from './kubernetes-types.js';

export { KubeError, isKubeError } from './kubernetes-error.js';
export type { KubeClient } from './kubernetes-client.js';
export { followObjects } from './kubernetes-watch.js';
export * from './kubernetes-types.js';

const clients = new Map<string, KubeClient>();

/**
 * A client for exactly this context. Asks the server nothing. The same kubeconfig gives the same client, which keeps its
 * connections; a file that changed gives a new one.
 * @throws ForgeError KUBECONFIG_MISSING, KUBECONFIG_INVALID, CONTEXT_UNKNOWN
 */
export async function connectKubernetes(target: KubeTarget): Promise<KubeClient> {
  const access = await openAccess(target);
  const client = clients.get(access.id) ?? clientOf(target, access);
  clients.set(access.id, client);
  return client;
}

function clientOf(target: KubeTarget, access: KubeAccess): KubeClient {
  const resources = resourcesOf(access);
  const server = access.server.host;

  async function path(
    { apiVersion, kind, namespace, name }: Omit<KubeRef, 'name'> & { name?: string | undefined },
    doing: string,
  ): Promise<string> {
    const resource = await resources.find(apiVersion, kind);
    if (resource === undefined) throw refusedError(server, doing, 404, `there is no kind ${kind} in ${apiVersion}`);
    return pathOf(resource, namespace, name);
  }
  const logPath = ({ namespace, pod }: PodRef): string =>
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
  const logQuery = ({ container }: PodRef, { tailLines, previous, sinceSeconds, timestamps }: LogOptions) => ({
    container,
    tailLines,
    previous,
    sinceSeconds,
    timestamps,
  });
  const selectors = ({ labels, fields }: KubeQuery) => ({ labelSelector: labels, fieldSelector: fields });
  // A query may be made from a reference: its name would lead to one object.
  const listed = ({ apiVersion, kind, namespace }: KubeQuery) => ({ apiVersion, kind, namespace });
  const apply = { contentType: 'application/apply-patch+yaml', method: 'PATCH' } as const;

  return {
    target,
    server,
    async get<T extends KubeObject>(ref: KubeRef, { signal }: Call = {}) {
      const doing = `reading ${nameOf(ref)}`;
      return orUndefined(async () => kubeRequest<T>(access, { path: await path(ref, doing), doing, signal }));
    },
    async list<T extends KubeObject>(query: KubeQuery, { signal, fresh }: Call & { fresh?: boolean } = {}): Promise<KubeList<T>> {
      const doing = `listing ${query.kind}s${query.namespace === undefined ? '' : ` in ${query.namespace}`}`;
      const accept = query.metadataOnly ? `${partial('List')},application/json` : undefined;
      const answer = await orUndefined(async () => {
        const at = await path(listed(query), doing);
        return listPages<T>((page) =>
          kubeRequest(access, {
            path: at,
            query: { ...selectors(query), ...page },
            ...(accept ? { accept } : {}),
            fresh: fresh ?? false,
            doing,
            signal,
          }),
        );
      });
      const { items, resourceVersion } = answer ?? { items: [], resourceVersion: '0' };
      return { items: items.map((item) => ({ ...item, apiVersion: query.apiVersion, kind: query.kind })), resourceVersion };
    },
    async create<T extends KubeObject>(object: KubeObject, { signal, dryRun }: Call & { dryRun?: boolean } = {}) {
      const doing = `creating ${nameOf(refOf(object))}`;
      const at = await path({ ...refOf(object), name: undefined }, doing);
      const query = { fieldManager: 'forge', fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined };
      return kubeRequest<T>(access, { method: 'POST', path: at, query, body: object, doing, signal });
    },
    async serverSideApply<T extends KubeObject>(object: KubeObject, options: ApplyOptions = {}) {
      const { dryRun, force = false, fieldManager = 'forge', signal } = options;
      const doing = `applying ${nameOf(refOf(object))}`;
      const query = { fieldManager, force, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined };
      return kubeRequest<T>(access, { ...apply, path: await path(refOf(object), doing), query, body: object, doing, signal });
    },
    async patch<T extends KubeObject>(ref: KubeRef, patch: unknown, options: Call & { subresource?: string } = {}) {
      const doing = `changing ${nameOf(ref)}`;
      return orUndefined(async () => {
        const at = `${await path(ref, doing)}${options.subresource === undefined ? '' : `/${options.subresource}`}`;
        const contentType = 'application/merge-patch+json';
        const query = { fieldManager: 'forge' };
        return kubeRequest<T>(access, { method: 'PATCH', path: at, query, body: patch, contentType, doing, signal: options.signal });
      });
    },
    async delete(ref, { uid, propagation = 'Background', graceSeconds, signal } = {}) {
      const doing = `deleting ${nameOf(ref)}`;
      const body = {
        propagationPolicy: propagation,
        ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      };
      const gone = await orUndefined(async () =>
        kubeRequest<unknown>(access, { method: 'DELETE', path: await path(ref, doing), body, doing, signal }),
      );
      return gone !== undefined;
    },
    async *watch<T extends KubeObject>(query: KubeQuery, options: Call & { resourceVersion: string; idleMs: number }) {
      const doing = `watching ${query.kind}s`;
      const parameters = { ...selectors(query), watch: true, allowWatchBookmarks: true, resourceVersion: options.resourceVersion };
      const accept = query.metadataOnly ? { accept: `${partial('')},application/json` } : {};
      const at = await path(listed(query), doing);
      const timeoutMs = Math.max(options.idleMs, 1_000);
      const response = await kubeStream(access, { path: at, query: parameters, ...accept, doing, signal: options.signal, timeoutMs });
      yield* watchEvents<T>(server, response, options.idleMs);
    },
    async logs(pod, options = {}) {
      const doing = `reading the log of pod ${pod.namespace}/${pod.pod}`;
      const query = { ...logQuery(pod, options), limitBytes: 4 * 1024 * 1024 };
      try {
        return await kubeText(access, { path: logPath(pod), query, doing, signal: options.signal });
      } catch (error) {
        // 400: the container has not started, or has no previous one.
        if (isKubeError(error, 404, 400)) return undefined;
        throw error;
      }
    },
    async *followLogs(pod, options = {}) {
      const doing = `following the log of pod ${pod.namespace}/${pod.pod}`;
      const query = { ...logQuery(pod, options), follow: true };
      yield* linesOf(await kubeStream(access, { path: logPath(pod), query, doing, signal: options.signal }));
    },
    exec: async (pod, command, options = {}) => execInPod(await loadKubeConfig(target), pod, command, options),
    version: (options = {}) => kubeRequest<{ gitVersion: string }>(access, { path: '/version', doing: 'its version', ...options }),
    resources: ({ signal } = {}) => resources.all(signal),
    kubeConfig: () => loadKubeConfig(target),
  };
}

const partial = (list: string): string => `application/json;as=PartialObjectMetadata${list};v=v1;g=meta.k8s.io`;

async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isKubeError(error, 404)) return undefined;
    throw error;
  }
}
