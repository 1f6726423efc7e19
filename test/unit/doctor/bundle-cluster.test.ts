import { expect, test } from 'vitest';
import type { KubeClient, KubeObject, KubeQuery } from '../../../src/clients/kubernetes.js';
import { partsOfCluster } from '../../../src/doctor/bundle-cluster.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

const workspace = workspaceAt(scratch());
const pod = (name: string, owner: string): KubeObject & Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'kafka', labels: { 'forge.dev/workspace': owner, 'app.kubernetes.io/managed-by': 'forge' } },
  spec: {
    nodeName: 'node-1',
    containers: [
      { name: 'server', image: 'kafka:1', env: [{ name: 'SASL', value: 'given-to-the-pod' }], resources: { limits: { memory: '1Gi' } } },
    ],
  },
  status: { phase: 'Running', containerStatuses: [{ name: 'server', restartCount: 2, state: { running: {} } }] },
});
const event = (at: string, message: string, name = 'kafka-0'): KubeObject & Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: message, namespace: 'kafka' },
  lastTimestamp: at,
  reason: 'BackOff',
  message,
  involvedObject: { kind: 'Pod', name, namespace: 'kafka' },
});
const client = {
  list: ({ kind, namespace }: KubeQuery) => {
    const pods = [pod('kafka-0', workspace.id), pod('theirs-0', 'another')];
    const events = [event('2026-11-21T12:00:01Z', 'second'), event('2026-11-21T12:00:00Z', 'first'), event('', 'of others', 'theirs-0')];
    return Promise.resolve({ items: namespace === 'kafka' ? (kind === 'Pod' ? pods : events) : [], resourceVersion: '1' });
  },
  logs: () => Promise.resolve('2026-11-21T12:00:00.000000000Z started\n2026-11-21T12:00:01.000000000Z said\n'),
} as unknown as KubeClient;

const parts = async (withLogs: boolean): Promise<Record<string, string>> => {
  const stack = { catalog: 'polaris' as const, engine: 'risingwave' as const, workspace };
  const found = await partsOfCluster(client, stack, withLogs, new AbortController().signal);
  return Object.fromEntries(found.map(({ name, text }) => [name, text]));
};

test('pods of the stack with their state and not with what they were given; events in order; logs', async () => {
  const found = await parts(true);
  expect(Object.keys(found).sort()).toEqual(['kubernetes/events.json', 'kubernetes/pods.json', 'logs/kafka-0-server.log']);
  const pods = JSON.parse(found['kubernetes/pods.json']!) as { name: string }[];
  expect(pods.map(({ name }) => name)).toEqual(['kafka-0']);
  expect(pods[0]).toMatchObject({ node: 'node-1', status: { containerStatuses: [{ restartCount: 2 }] } });
  expect(found['kubernetes/pods.json']).not.toContain('given-to-the-pod');
  expect((JSON.parse(found['kubernetes/events.json']!) as { message: string }[]).map(({ message }) => message)).toEqual([
    'first',
    'second',
  ]);
  expect(found['logs/kafka-0-server.log']).toBe('started\nsaid\n');
});

test('where secrets could not be masked, there are no logs', async () => {
  expect(Object.keys(await parts(false)).sort()).toEqual(['kubernetes/events.json', 'kubernetes/pods.json']);
});
