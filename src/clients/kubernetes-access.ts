import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { KubeConfig } from '@kubernetes/client-node';
import { lackingError, messageOf } from '../errors.js';
import { rememberSecret } from '../workspace/secret.js';
import { contextOf, filesOf, invalidConfig, textsOf, type ConfigEntry, type ConfigText } from './kubernetes-config.js';
import type { KubeTarget } from './kubernetes-types.js';

/** How to reach one API server, and as whom. */
export interface KubeAccess {
  server: URL;
  /** The same for the same server and user: tells clients apart that were made from another state of the file. */
  id: string;
  /** Certificates and token of a request; asked for anew each time, because tokens expire. Streams have connections of their own. */
  options(kind: 'request' | 'stream'): Promise<https.RequestOptions>;
}

/** What forge reads itself. All else (programs that give tokens, proxies, …) is for the client library, which takes 0.4 s to load. */
const CLUSTER = new Set(['server', 'certificate-authority', 'certificate-authority-data', 'insecure-skip-tls-verify', 'tls-server-name']);
const USER = new Set(['client-certificate', 'client-certificate-data', 'client-key', 'client-key-data', 'token', 'tokenFile']);

const accesses = new Map<string, Promise<KubeAccess>>();

/**
 * Reads the kubeconfig and finds the context in it. The same files give the same access, with its connections.
 * @throws ForgeError KUBECONFIG_MISSING, KUBECONFIG_INVALID, CONTEXT_UNKNOWN
 */
export async function openAccess(target: KubeTarget): Promise<KubeAccess> {
  const texts = textsOf(target);
  const id = createHash('sha256')
    .update(JSON.stringify([texts, target.context]))
    .digest('hex');
  const known = accesses.get(id) ?? accessOf(target, texts, id);
  accesses.set(id, known);
  known.catch(() => accesses.delete(id));
  return known;
}

async function accessOf(target: KubeTarget, texts: readonly ConfigText[], id: string): Promise<KubeAccess> {
  const { cluster, user } = await contextOf(target, texts);
  const address = cluster.value['server'];
  if (typeof address !== 'string' || !URL.canParse(address))
    throw invalidConfig(cluster.file, `cluster ${cluster.name} of context ${target.context} has no server address`);
  const server = new URL(address);
  const isPlain = Object.keys(cluster.value).every((key) => CLUSTER.has(key)) && Object.keys(user.value).every((key) => USER.has(key));
  return { server, id, options: isPlain ? plainOptions(server, cluster, user) : await libraryOptions(server, target) };
}

/** The same context in the client library's own form, for port-forwards and commands in pods. */
export async function loadKubeConfig(target: KubeTarget): Promise<KubeConfig> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  const [first, ...more] = filesOf(target);
  if (first !== undefined) config.loadFromFile(first);
  for (const file of more) {
    const next = new Config();
    next.loadFromFile(file);
    config.mergeConfig(next, true);
  }
  config.setCurrentContext(target.context);
  return config;
}

function plainOptions(server: URL, cluster: ConfigEntry, user: ConfigEntry): KubeAccess['options'] {
  const part = (from: ConfigEntry, name: string): Buffer | undefined => {
    const data = from.value[`${name}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64');
    return typeof from.value[name] === 'string' ? beside(from.file, from.value[name]) : undefined;
  };
  const tls = {
    ca: part(cluster, 'certificate-authority'),
    cert: part(user, 'client-certificate'),
    key: part(user, 'client-key'),
    servername: typeof cluster.value['tls-server-name'] === 'string' ? cluster.value['tls-server-name'] : undefined,
    rejectUnauthorized: cluster.value['insecure-skip-tls-verify'] === true ? false : undefined,
  };
  const agents = agentsFor(server, tls);
  const { token, tokenFile } = user.value;
  return (kind) => {
    const agent = agents[kind];
    const bearer = typeof tokenFile === 'string' ? beside(user.file, tokenFile).toString().trim() : token;
    if (typeof bearer !== 'string') return Promise.resolve({ agent });
    rememberSecret(bearer);
    return Promise.resolve({ agent, headers: { authorization: `Bearer ${bearer}` } });
  };
}

/** Paths in a kubeconfig are relative to it. */
function beside(file: string, name: string): Buffer {
  try {
    return readFileSync(path.resolve(path.dirname(file), name));
  } catch (error) {
    throw invalidConfig(file, `it names a file that cannot be read: ${messageOf(error)}`);
  }
}

async function libraryOptions(server: URL, target: KubeTarget): Promise<KubeAccess['options']> {
  const config = await loadKubeConfig(target);
  const proxied = config.getCurrentCluster()?.proxyUrl !== undefined;
  let kept: { tls: https.AgentOptions; agents: Agents } | undefined;
  return async (kind) => {
    const options: https.RequestOptions = {};
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      throw lackingError({
        code: 'KUBERNETES_UNAUTHORIZED',
        message: `The kubeconfig's user of context ${target.context} cannot be used: ${messageOf(error)}`,
        hint: 'Log in to the cluster again; `kubectl get namespaces` with the same context shows whether it works',
        cause: error,
      });
    }
    const { headers, auth, agent: given, ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = options;
    const who = { ...(headers === undefined ? {} : { headers }), ...(auth === undefined ? {} : { auth }) };
    if (proxied) return { ...who, agent: given };
    const tls = { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized };
    if (kept === undefined || !isDeepStrictEqual(kept.tls, tls)) kept = { tls, agents: agentsFor(server, tls) };
    return { ...who, agent: kept.agents[kind] };
  };
}

type Agents = Record<'request' | 'stream', http.Agent>;

/** Connections are kept: a handshake costs more than a request. Watches are many, and must not take the others' places. */
function agentsFor(server: URL, tls: https.AgentOptions): Agents {
  const given = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
  const agent = (pool: http.AgentOptions): http.Agent =>
    server.protocol === 'http:' ? new http.Agent(pool) : new https.Agent({ ...pool, ...given });
  return { request: agent({ keepAlive: true, maxSockets: 16 }), stream: agent({}) };
}
