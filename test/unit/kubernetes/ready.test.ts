import { describe, expect, it } from 'vitest';
import type { Workload } from '../../../src/runtimes/kubernetes/pod-types.js';
import { readinessOf } from '../../../src/runtimes/kubernetes/ready.js';

const workload = (kind: string, status: object, spec: object = { replicas: 2 }): Workload => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'a', generation: 3 },
  spec,
  status,
});
const done = { observedGeneration: 3, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };

describe('a workload', () => {
  it.each([
    ['all of it is there', done, true],
    ['the controller has not looked yet', { ...done, observedGeneration: 2 }, false],
    ['it has no status at all', {}, false],
    ['a pod of the old description is still there', { ...done, replicas: 3 }, false],
    ['a pod is still of the old description', { ...done, updatedReplicas: 1 }, false],
    ['a pod is not ready', { ...done, readyReplicas: 1 }, false],
    ['a pod is ready, but not for long enough', { ...done, availableReplicas: 1 }, false],
  ])('when %s', (_when, status, ready) => {
    expect(readinessOf(workload('Deployment', status)).ready).toBe(ready);
    expect(readinessOf(workload('StatefulSet', status)).ready).toBe(ready);
  });

  it('of no pods is ready', () => {
    expect(readinessOf(workload('Deployment', { observedGeneration: 3 }, { replicas: 0 })).ready).toBe(true);
  });

  it('that is a Job is ready when it is complete, however many pods succeeded', () => {
    const job = (status: object): boolean => readinessOf(workload('Job', status, { completions: 1 })).ready;
    expect(job({ succeeded: 1 })).toBe(false);
    expect(job({ conditions: [{ type: 'Complete', status: 'True' }] })).toBe(true);
    expect(job({ conditions: [{ type: 'Complete', status: 'False' }] })).toBe(false);
  });
});
