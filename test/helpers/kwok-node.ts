import { setTimeout as delay } from 'node:timers/promises';
import { placeOf, type KubeApi, type KubeObject } from './kwok-api.js';

const NODE = 'fake-0';
const HEARTBEAT_MS = 10_000;

interface PodSpec {
  containers: { name: string; image: string }[];
  initContainers?: { name: string; image: string }[];
}

/** A node that only says that pods run, and that those of Jobs have ended well. Gives what ends it. */
export async function playNode(api: KubeApi): Promise<() => Promise<void>> {
  if ((await api.get(placeOf('Node', undefined, NODE))) === undefined)
    await api.create(placeOf('Node'), {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: NODE, labels: { 'kubernetes.io/hostname': NODE, 'kubernetes.io/os': 'linux' } },
    });
  let stopped = false;
  let beaten = 0;
  const turn = async (): Promise<void> => {
    if (Date.now() - beaten > HEARTBEAT_MS) {
      await beat(api);
      beaten = Date.now();
    }
    for (const pod of await api.list(`${placeOf('Pod')}?fieldSelector=spec.nodeName%3D${NODE}`)) await act(api, pod);
  };
  const playing = (async () => {
    while (!stopped) {
      // A pod may be gone since it was listed, and the API server away: the next turn sees.
      await turn().catch(() => undefined);
      await delay(100);
    }
  })();
  return () => {
    stopped = true;
    return playing;
  };
}

const now = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

async function beat(api: KubeApi): Promise<void> {
  const resources = { cpu: '32', memory: '256Gi', pods: '110' };
  const condition = { type: 'Ready', status: 'True', reason: 'Fake', message: 'it says so', lastHeartbeatTime: now() };
  await api.patch(`${placeOf('Node', undefined, NODE)}/status`, {
    status: { allocatable: resources, capacity: resources, conditions: [{ ...condition, lastTransitionTime: now() }] },
  });
}

async function act(api: KubeApi, { metadata, spec, status = {} }: KubeObject): Promise<void> {
  const place = placeOf('Pod', metadata.namespace, metadata.name);
  if (metadata.deletionTimestamp !== undefined) return api.delete(place, { gracePeriodSeconds: 0 });
  const { containers, initContainers = [] } = spec as unknown as PodSpec;
  const ended = (reason = 'Completed') => ({ terminated: { exitCode: 0, reason, startedAt: now(), finishedAt: now() } });
  const told = (all: PodSpec['containers'], state: object, ready: boolean): object[] =>
    all.map(({ name, image }) => ({ name, image, imageID: '', ready, restartCount: 0, state }));
  if (status['podIP'] === undefined) {
    const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({ type, status: 'True' }));
    const running = told(containers, { running: { startedAt: now() } }, true);
    const initial = told(initContainers, ended(), true);
    const said = { phase: 'Running', podIP: '10.0.0.1', startTime: now(), conditions, containerStatuses: running };
    await api.patch(`${place}/status`, { status: { ...said, initContainerStatuses: initial } });
  } else if (status['phase'] === 'Running' && metadata.ownerReferences?.some(({ kind }) => kind === 'Job') === true) {
    await api.patch(`${place}/status`, { status: { phase: 'Succeeded', containerStatuses: told(containers, ended(), false) } });
  }
}
