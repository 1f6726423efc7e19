import { describe, expect, it } from 'vitest';
import type { ContainerStatus, Pod } from '../../../src/runtimes/kubernetes/pod-types.js';
import { belongsTo, hasDied, restartsOf, troubleOf } from '../../../src/runtimes/kubernetes/pods.js';
import { readyPods, type EndpointSlice } from '../../../src/runtimes/kubernetes/service.js';

const pod = (status: Pod['status']): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'kafka-0', namespace: 'kafka' },
  status: status ?? {},
});
const container = (more: Partial<ContainerStatus>): Pod =>
  pod({ phase: 'Running', containerStatuses: [{ name: 'kafka', restartCount: 0, ready: false, ...more }] });
const killed = { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-11-21T12:00:00Z' };

describe('why a pod does not serve', () => {
  it.each<[string, Pod, string, boolean]>([
    ['just made', pod({ phase: 'Pending' }), 'kafka-0 is starting', false],
    [
      'no node',
      pod({
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'Insufficient memory' }],
      }),
      'kafka-0 finds no node: Insufficient memory',
      false,
    ],
    ['being made', container({ state: { waiting: { reason: 'ContainerCreating' } } }), 'kafka-0 is starting', false],
    [
      'no image',
      container({ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' } } }),
      'kafka-0 (kafka) waits: ImagePullBackOff (Back-off pulling image "x")',
      false,
    ],
    [
      'again and again',
      container({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: killed }, restartCount: 3 }),
      'kafka-0 (kafka) waits: CrashLoopBackOff; ended with OOMKilled, restarts: 3',
      true,
    ],
    [
      'ended',
      container({ state: { terminated: { exitCode: 3, reason: 'Error' } }, restartCount: 1 }),
      'kafka-0 (kafka) ended with exit code 3, restarts: 1',
      true,
    ],
    [
      'runs after a restart',
      container({ state: { running: {} }, lastState: { terminated: { exitCode: 1 } }, restartCount: 2 }),
      'kafka-0 (kafka) runs and is not ready; ended with exit code 1, restarts: 2',
      false,
    ],
    ['evicted', pod({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }), 'kafka-0 failed: Evicted (low on memory)', true],
  ])('%s', (_, value, text, died) => {
    expect([troubleOf(value), hasDied(value)]).toEqual([text, died]);
  });

  it('a restart of the last hour is told of a pod that serves, an older one is not', () => {
    const value = container({ ready: true, state: { running: {} }, lastState: { terminated: killed }, restartCount: 2 });
    const told = 'kafka-0 (kafka) was restarted; ended with OOMKilled, restarts: 2';
    expect(restartsOf(value, Date.parse('2026-11-21T12:30:00Z'))).toBe(told);
    expect(restartsOf(value, Date.parse('2026-11-21T14:00:00Z'))).toBeUndefined();
    expect(restartsOf(container({ ready: true }))).toBeUndefined();
  });
});

describe('the pods of a workload', () => {
  const labelled = (labels: Record<string, string>): Pod => ({ ...pod({}), metadata: { name: 'kafka-0', labels } });
  const workload = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'kafka', labels: { 'forge.dev/workspace': 'mine' } },
    spec: { selector: { matchLabels: { app: 'kafka' } } },
  };

  it.each<[string, Record<string, string>, boolean]>([
    ['its own', { app: 'kafka', 'forge.dev/workspace': 'mine' }, true],
    ['one that the selector does not take', { app: 'other', 'forge.dev/workspace': 'mine' }, false],
    ["another workspace's of the same names", { app: 'kafka', 'forge.dev/workspace': 'other' }, false],
    ["somebody's of the same names", { app: 'kafka' }, false],
  ])('%s', (_what, labels, expected) => {
    expect(belongsTo(labelled(labels), workload)).toBe(expected);
  });
});

describe('readyPods', () => {
  const endpoint = (name: string, conditions?: object) => ({ targetRef: { kind: 'Pod', name }, ...(conditions ? { conditions } : {}) });
  const slice = (endpoints: EndpointSlice['endpoints'], ports: EndpointSlice['ports']): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'x' },
    ...(endpoints ? { endpoints } : {}),
    ...(ports ? { ports } : {}),
  });

  it('are those that are ready and not ending, with the port of that name', () => {
    const endpoints = [
      endpoint('a', { ready: true }),
      endpoint('b', { ready: false }),
      endpoint('c', { ready: true, serving: true, terminating: true }),
      endpoint('d', { ready: true, serving: false }),
      endpoint('e'),
      { targetRef: { kind: 'Node', name: 'n' } },
    ];
    const ports = [
      { name: 'inside', port: 9092 },
      { name: 'outside', port: 19094 },
    ];
    expect(readyPods([slice(endpoints, ports), slice([endpoint('f')], [{ name: 'other', port: 1 }])], 'outside')).toEqual([
      { pod: 'a', port: 19094 },
      { pod: 'e', port: 19094 },
    ]);
    expect(readyPods([slice([endpoint('a')], [{ port: 80 }])], '')).toEqual([{ pod: 'a', port: 80 }]);
    expect(readyPods([slice(undefined, undefined), { ...slice([], []), endpoints: null, ports: null }], '')).toEqual([]);
  });
});
