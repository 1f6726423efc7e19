import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { connectKubernetes, followObjects, type KubeClient, type KubeObject } from '../../../src/clients/kubernetes.js';
import { clusterIdentity, keepIdentity, requireSameCluster, resetIdentity } from '../../../src/runtimes/kubernetes/identity.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { closedPort } from '../../helpers/world.js';
import { scratch } from '../../helpers/folders.js';

/** An API server that does what a test tells it; what real ones do is in test/kubernetes. */
type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
let asked: string[];
let script: Answer[];
let client: KubeClient;
const json =
  (status: number, body: unknown, headers = {}): Answer =>
  (_, response) =>
    void response.writeHead(status, headers).end(JSON.stringify(body));
const reset: Answer = (request) => void request.socket.destroy();
const cut: Answer = (_, response) => {
  response.writeHead(200, { 'content-length': 1000 }).write('{"metadata":');
  setTimeout(() => response.socket?.destroy(), 10);
};
const web = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'n' } };
const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'n', name: 'web' };

function kubeconfig(port: number, more: { user?: object; cluster?: object } = {}): string {
  const file = path.join(scratch(), 'config');
  const config = {
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, ...more.cluster } }],
    users: [{ name: 'u', user: { token: 'a-token-of-the-user', ...more.user } }],
    contexts: [{ name: 'mine', context: { cluster: 'c', user: 'u' } }],
  };
  writeFileSync(file, stringify(config));
  return file;
}

beforeEach(async () => {
  asked = [];
  script = [];
  server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    (script.length > 1 ? script.shift()! : script[0]!)(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = await connectKubernetes({ kubeconfig: kubeconfig((server.address() as AddressInfo).port), context: 'mine' });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

describe('a request', () => {
  it.each([
    ['429 with a time to wait', json(429, {}, { 'retry-after': '0' })],
    ['500', json(500, { message: 'etcdserver: leader changed' })],
    ['503', json(503, {})],
    ['a reset', reset],
    ['a body that breaks off', cut],
  ])('is made again after %s', async (_what, fault) => {
    script = [fault, fault, json(200, web)];
    expect(await client.get(ref)).toEqual(web);
    expect(asked).toEqual(Array(3).fill('GET /apis/apps/v1/namespaces/n/deployments/web'));
  });

  it('is given up after five attempts, and says what it was about', async () => {
    script = [json(503, { message: 'the server is shutting down' })];
    await expect(client.serverSideApply(web)).rejects.toMatchObject({
      code: 'KUBERNETES_FAILED',
      exitCode: 4,
      status: 503,
      message: expect.stringMatching(/refused applying Deployment n\/web \(503\): the server is shutting down/),
    });
    expect(asked).toHaveLength(5);
  });

  it.each([
    [401, 'KUBERNETES_UNAUTHORIZED', 3],
    [403, 'KUBERNETES_FORBIDDEN', 3],
    [409, 'KUBERNETES_CONFLICT', 4],
    [422, 'KUBERNETES_INVALID', 4],
    [500, 'KUBERNETES_FAILED', 4],
  ])('that is answered with %i is an error of its own, once', async (status, code, exitCode) => {
    script = [json(status, { message: 'failed to create typed patch object: .spec.foo: field not declared in schema' })];
    await expect(client.get(ref)).rejects.toMatchObject({ code, exitCode, status });
    expect(asked).toHaveLength(1);
  });

  it('for what is not there gives nothing, and deletes nothing', async () => {
    script = [json(404, { reason: 'NotFound' })];
    expect(await client.get(ref)).toBeUndefined();
    expect(await client.delete(ref)).toBe(false);
    expect((await client.list({ apiVersion: 'apps/v1', kind: 'Deployment' })).items).toEqual([]);
  });

  it('to a server that does not answer names it, and never counts as nothing there', async () => {
    const port = await closedPort();
    const nobody = await connectKubernetes({ kubeconfig: kubeconfig(port), context: 'mine' });
    const unreachable = { code: 'KUBERNETES_UNREACHABLE', exitCode: 4, message: expect.stringContaining(`127.0.0.1:${port}`) };
    await expect(nobody.get(ref)).rejects.toMatchObject(unreachable);
    await expect(nobody.list({ apiVersion: 'v1', kind: 'Pod' })).rejects.toMatchObject(unreachable);
  });

  it('that is answered with garbage is an error', async () => {
    script = [(_, response) => void response.end('<html>log in</html>')];
    await expect(client.get(ref)).rejects.toMatchObject({ code: 'KUBERNETES_UNREACHABLE', message: expect.stringContaining('no JSON') });
  });

  it('ends with its signal, also between two attempts', async () => {
    script = [json(503, {})];
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 150);
    await expect(client.get(ref, { signal: controller.signal })).rejects.toThrow('enough');
  });

  it('sends an apply with its manager, strictly, and says whose it is', async () => {
    let seen: IncomingMessage | undefined;
    script = [
      (request, response) => {
        seen = request;
        response.end(JSON.stringify(web));
      },
    ];
    await client.serverSideApply(web, { dryRun: true });
    expect(asked).toEqual([
      'PATCH /apis/apps/v1/namespaces/n/deployments/web?fieldManager=forge&force=false&fieldValidation=Strict&dryRun=All',
    ]);
    expect(seen?.headers).toMatchObject({ 'content-type': 'application/apply-patch+yaml', authorization: 'Bearer a-token-of-the-user' });
  });

  it('lists all pages', async () => {
    script = [
      json(200, { metadata: { resourceVersion: '7', continue: 'next' }, items: [{ metadata: { name: 'a' } }] }),
      json(200, { metadata: { resourceVersion: '7' }, items: [{ metadata: { name: 'b' } }] }),
    ];
    const { items } = await client.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'n' });
    expect(items).toEqual(['a', 'b'].map((name) => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } })));
    expect(asked[1]).toContain('continue=next');
  });
});

describe('a watch', () => {
  const pod = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, uid: name } });
  const listed = (...names: string[]): Answer => json(200, { metadata: { resourceVersion: '5' }, items: names.map(pod) });
  const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
  const streamed =
    (text: string, end = false): Answer =>
    (_, response) => {
      response.write(text);
      if (end) response.end();
    };

  /** Names at each state, until there are so many states. */
  async function states(count: number): Promise<string[][]> {
    const seen: string[][] = [];
    const controller = new AbortController();
    const follow = followObjects<KubeObject>(
      client,
      { apiVersion: 'v1', kind: 'Pod', namespace: 'n' },
      { signal: controller.signal, idleMs: 200, patienceMs: 2_000 },
      (items) => {
        seen.push(items.map(({ metadata }) => metadata.name));
        if (seen.length === count) controller.abort(new Error('done'));
      },
    );
    await expect(follow).rejects.toThrow('done');
    return seen;
  }

  it('keeps the list up to date, also where an event comes in pieces', async () => {
    const text = event('ADDED', pod('b')) + event('BOOKMARK', { metadata: { resourceVersion: '9' } }) + event('DELETED', pod('a'));
    script = [
      listed('a'),
      (_, response) => {
        response.write(text.slice(0, 40));
        setTimeout(() => response.write(text.slice(40)), 20);
      },
    ];
    expect(await states(3)).toEqual([['a'], ['a', 'b'], ['b']]);
  });

  it.each([
    ['falls silent', streamed('')],
    ['ends', streamed('', true)],
    ['breaks off in the middle of an event', streamed('{"type":"ADD', true)],
    ['is cut', reset],
    ['says that its place is forgotten', streamed(event('ERROR', { code: 410, reason: 'Expired' }))],
    ['is refused, because its place is forgotten', json(410, {})],
    ['is refused for now', json(503, {})],
  ])('that %s is begun anew with a list', async (_what, fault) => {
    script = [listed('a'), fault, listed('a', 'b'), streamed('')];
    expect(await states(2)).toEqual([['a'], ['a', 'b']]);
  });

  it('that may not be had ends with the reason', async () => {
    script = [listed('a'), json(403, { message: 'pods is forbidden' })];
    const { signal } = new AbortController();
    const follow = followObjects(client, { apiVersion: 'v1', kind: 'Pod' }, { signal }, () => undefined);
    await expect(follow).rejects.toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
  });

  it('of a server that stays away ends in time', async () => {
    script = [listed('a'), reset];
    const { signal } = new AbortController();
    const follow = followObjects(client, { apiVersion: 'v1', kind: 'Pod' }, { signal, patienceMs: 500 }, () => undefined);
    await expect(follow).rejects.toMatchObject({ code: 'KUBERNETES_UNREACHABLE' });
  });
});

describe('a kubeconfig', () => {
  const connect = (file: string, context = 'mine') => connectKubernetes({ kubeconfig: file, context });

  it('has to be there, to be one, and to have the context', async () => {
    await expect(connect('/nowhere/config')).rejects.toMatchObject({ code: 'KUBECONFIG_MISSING', exitCode: 3 });
    const broken = path.join(scratch(), 'config');
    writeFileSync(broken, 'clusters: [');
    await expect(connect(broken)).rejects.toMatchObject({ code: 'KUBECONFIG_INVALID', exitCode: 2 });
    await expect(connect(kubeconfig(1), 'other')).rejects.toMatchObject({
      code: 'CONTEXT_UNKNOWN',
      exitCode: 2,
      message: expect.stringContaining('has no context other; it has mine'),
    });
  });

  it('can be several files, of which some are not there', async () => {
    const [first, second] = [kubeconfig(1), kubeconfig(2)];
    expect((await connect(['/nowhere', first, second].join(path.delimiter))).server).toBe('127.0.0.1:1');
  });

  it('gives the same client until it changes', async () => {
    const file = kubeconfig(1);
    const before = await connect(file);
    expect(await connect(file)).toBe(before);
    writeFileSync(
      file,
      stringify({
        clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:2' } }],
        contexts: [{ name: 'mine', context: { cluster: 'c' } }],
      }),
    );
    expect((await connect(file)).server).toBe('127.0.0.1:2');
  });

  it('may name a program that gives the token', async () => {
    const program = path.join(scratch(), 'login');
    const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: 'of-the-program' } };
    writeFileSync(program, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`, { mode: 0o755 });
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: program, interactiveMode: 'Never' };
    const { port } = server.address() as AddressInfo;
    const authorized = await connect(kubeconfig(port, { user: { token: undefined, exec }, cluster: { 'insecure-skip-tls-verify': true } }));
    let header: string | undefined;
    script = [
      (request, response) => {
        header = request.headers.authorization;
        response.end(JSON.stringify(web));
      },
    ];
    await authorized.get(ref);
    expect(header).toBe('Bearer of-the-program');
  });
});

describe('the identity of a cluster', () => {
  const system = (uid: string): Answer => json(200, { metadata: { name: 'kube-system', uid } });
  const workspace = () => {
    const made = workspaceAt(scratch());
    mkdirSync(made.run, { recursive: true });
    return made;
  };

  it('is kept at the first use and refused when it is another one, until it is reset', async () => {
    const at = workspace();
    script = [system('one')];
    await requireSameCluster(at, client, { keep: false });
    script = [system('two')];
    await requireSameCluster(at, client, { keep: true });
    script = [system('three')];
    await expect(requireSameCluster(at, client, { keep: true })).rejects.toMatchObject({ code: 'CLUSTER_CHANGED', exitCode: 3 });
    await resetIdentity(at, 'mine');
    await keepIdentity(at, client);
    script = [system('two')];
    await expect(requireSameCluster(at, client, { keep: false })).rejects.toMatchObject({ code: 'CLUSTER_CHANGED' });
  });

  it('is that of the kubeconfig for whoever may not look at it', async () => {
    script = [json(403, {})];
    const first = await clusterIdentity(client);
    expect(first).toMatch(/^ca:/);
    expect(await clusterIdentity(client)).toBe(first);
  });

  it('is not guessed where its file is damaged', async () => {
    const at = workspace();
    writeFileSync(path.join(at.run, 'cluster.json'), '{"mine":');
    script = [system('one')];
    await expect(requireSameCluster(at, client, { keep: true })).rejects.toMatchObject({ code: 'STATE_DAMAGED', exitCode: 3 });
  });
});
