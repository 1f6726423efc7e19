import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectKubernetes, type KubeClient, type KubeObject } from '../../src/clients/kubernetes.js';
import { waitUntil } from '../../src/clients/wait.js';
import { ForgeError } from '../../src/errors.js';
import { apiPort, kubeProxy, withApiPort, type KubeProxy } from '../helpers/kube-proxy.js';
import { deploymentOf, jobOf, kubeStack, namespaceOf, statefulSetOf, type KubeStack } from '../helpers/kube-stack.js';
import { startFakeCluster, type FakeCluster } from '../helpers/kwok.js';

const folder = mkdtempSync(path.join(tmpdir(), 'forge-ready-'));
let cluster: FakeCluster;
let proxy: KubeProxy;
let kube: KubeStack;
/** Goes to the API server directly, whatever becomes of the proxy. */
let direct: KubeClient;
beforeAll(async () => {
  cluster = await startFakeCluster(path.join(folder, 'cluster'), 'forge-ready');
  proxy = await kubeProxy(apiPort(cluster.kubeconfig));
  const kubeconfig = withApiPort(cluster.kubeconfig, proxy.port, path.join(folder, 'proxied'));
  kube = await kubeStack({ kubeconfig, context: 'forge-ready' });
  direct = await connectKubernetes({ kubeconfig: cluster.kubeconfig, context: 'forge-ready' });
});
afterAll(async () => {
  await proxy.close();
  await kube.close();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

let ns: string;
let count = 0;
beforeEach(() => {
  ns = `ready-${++count}`;
  kube.progress.length = 0;
});
afterEach(() => freeze(false));
const apply = (...objects: object[]): Promise<string> => {
  kube.manifest(`${ns}/all.yaml`, [namespaceOf(ns), ...objects]);
  return kube.apply(`${ns}/all.yaml`);
};
const refusal = async (work: Promise<unknown>): Promise<ForgeError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ForgeError) return error;
  throw new Error(`no ForgeError: ${String(error)}`);
};
const took = async (work: Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work;
  return (performance.now() - start) / 1000;
};

/** A node that takes no pods for now, as one that is just being made: they wait, and nothing is wrong with them. */
async function freeze(isFrozen: boolean): Promise<void> {
  const taints = isFrozen ? [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }] : [];
  await direct.patch({ apiVersion: 'v1', kind: 'Node', name: 'fake-0' }, { spec: { taints } });
}

const wait = (kind: string, name: string, more = {}) => ({ kind, name, namespace: ns, ...more });
const image = { image: 'web:1' };

describe('a wait', () => {
  test('ends when a Deployment, a StatefulSet and a Job are ready, and there is nothing to do then', async () => {
    await apply(deploymentOf(ns, 'web', image, {}, { replicas: 3 }), statefulSetOf(ns, 'db', image), jobOf(ns, 'setup', image));
    for (const args of [wait('Deployment', 'web'), wait('StatefulSet', 'db'), wait('Job', 'setup')]) {
      await kube.ready(args);
      expect(await kube.observeReady(args)).toEqual({ state: 'in-sync' });
    }
  });

  test('says before what is lacking', async () => {
    await freeze(true);
    expect(await kube.observeReady(wait('Deployment', 'web'))).toMatchObject({ state: 'missing' });
    await apply(deploymentOf(ns, 'web', image, {}, { replicas: 2 }));
    const field = `Deployment ${ns}/web`;
    await waitUntil(async () => JSON.stringify(await kube.observeReady(wait('Deployment', 'web'))).includes('0 of 2 ready'), {
      what: 'the controller to look at it',
      timeoutMs: 10_000,
    });
    expect(await kube.observeReady(wait('Deployment', 'web'))).toEqual({
      state: 'drifted',
      message: `${field}: 0 of 2 ready`,
      diff: [{ field, is: '0 of 2 ready', should: 'ready' }],
    });
  });

  test('is for the description of now: pods of the one before do not count', async () => {
    await apply(deploymentOf(ns, 'web', image));
    await kube.ready(wait('Deployment', 'web'));
    await freeze(true);
    await apply(deploymentOf(ns, 'web', { image: 'web:2' }));
    expect(await kube.observeReady(wait('Deployment', 'web'))).toMatchObject({ state: 'drifted' });
    const waited = kube.ready(wait('Deployment', 'web'));
    expect(await Promise.race([waited, delay(1_500, 'still waiting')])).toBe('still waiting');
    await freeze(false);
    await waited;
  });

  test('has a deadline, and tells what was lacking', async () => {
    await freeze(true);
    await apply(deploymentOf(ns, 'web', image));
    const error = await refusal(kube.ready(wait('Deployment', 'web', { seconds: 2 })));
    expect(error).toMatchObject({ code: 'SERVER_NOT_READY', exitCode: 4 });
    expect(error.message).toContain(`Deployment ${ns}/web was not ready after 2 s: 0 of 1 ready`);
    expect(error.message).toContain('has no node yet');
  });

  test('ends when what it waits for is deleted, or was never there', async () => {
    expect(await refusal(kube.ready(wait('StatefulSet', 'db')))).toMatchObject({ code: 'WORKLOAD_MISSING' });
    await freeze(true);
    await apply(deploymentOf(ns, 'web', image));
    const waited = refusal(kube.ready(wait('Deployment', 'web')));
    await waitUntil(async () => kube.progress.some((text) => text.includes('0 of 1')), { what: 'the wait to begin', timeoutMs: 10_000 });
    await direct.delete({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: ns, name: 'web' });
    expect((await waited).message).toContain('was deleted while it was waited for');
  });

  test('ends with Ctrl-C at once', async () => {
    await freeze(true);
    await apply(deploymentOf(ns, 'web', image));
    const controller = new AbortController();
    const waited = kube.ready(wait('Deployment', 'web'), controller.signal).catch((error: unknown) => error);
    await delay(300);
    const reason = new Error('interrupted');
    controller.abort(reason);
    expect(await took(waited)).toBeLessThan(1);
    expect(await waited).toBe(reason);
  });

  test('is not ended by pods of an earlier ReplicaSet, however ill they are', async () => {
    await apply(deploymentOf(ns, 'web', image));
    await kube.ready(wait('Deployment', 'web'));
    await freeze(true);
    await apply(deploymentOf(ns, 'web', { image: 'web:2' }));
    const waited = kube.ready(wait('Deployment', 'web'));
    const { items } = await direct.list<KubeObject>({ apiVersion: 'v1', kind: 'Pod', namespace: ns });
    const old = items.find((pod) => JSON.stringify(pod).includes('web:1'))!;
    const waiting = { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container' };
    const lastState = { terminated: { exitCode: 3, reason: 'Error' } };
    const container = { name: 'main', image: 'web:1', imageID: '', ready: false, restartCount: 9, state: { waiting }, lastState };
    await direct.patch(
      { apiVersion: 'v1', kind: 'Pod', namespace: ns, name: old.metadata.name },
      { status: { containerStatuses: [container] } },
      { subresource: 'status' },
    );
    expect(await Promise.race([waited, delay(1_500, 'still waiting')])).toBe('still waiting');
    await freeze(false);
    await waited;
  });
});

describe('an API server', () => {
  test('whose watches fall silent is asked anew', async () => {
    await freeze(true);
    await apply(deploymentOf(ns, 'web', image));
    const waited = kube.ready(wait('Deployment', 'web'));
    await delay(500);
    proxy.stall();
    await freeze(false);
    await waitUntil(
      async () => {
        const found = await direct.get<KubeObject>({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: ns, name: 'web' });
        return (found?.['status'] as { availableReplicas?: number }).availableReplicas === 1;
      },
      { what: 'the Deployment to be available', timeoutMs: 20_000 },
    );
    expect(await took(waited)).toBeLessThan(5);
  });

  test('that is away for a few seconds is waited for', async () => {
    await freeze(true);
    await apply(deploymentOf(ns, 'web', image));
    const waited = kube.ready(wait('Deployment', 'web'));
    await delay(500);
    await proxy.shut();
    await freeze(false);
    await delay(3_000);
    await proxy.open();
    await waited;
  });

  test('that stays away ends the wait with an error', async () => {
    await freeze(true);
    await apply(deploymentOf(ns, 'web', image));
    const waited = refusal(kube.ready(wait('Deployment', 'web')));
    await delay(500);
    await proxy.shut();
    try {
      const seconds = await took(waited);
      expect(await waited).toMatchObject({ code: 'KUBERNETES_UNREACHABLE', exitCode: 4 });
      expect(seconds).toBeLessThan(30);
    } finally {
      await proxy.open();
    }
  });
});
