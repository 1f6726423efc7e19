import { describe, expect, it } from 'vitest';
import type { KubeClient } from '../../../src/clients/kubernetes.js';
import { isTooOld, requireCluster } from '../../../src/runtimes/kubernetes/require.js';

interface Attributes {
  group: string;
  resource: string;
  subresource?: string;
  verb: string;
  namespace?: string;
}

/** A cluster of a version, a user with rights, and the namespaces that are there. */
function cluster(
  gitVersion: string,
  may: (what: Attributes) => boolean,
  there: string[] = [],
): { client: KubeClient; asked: Attributes[] } {
  const asked: Attributes[] = [];
  const client = {
    target: { kubeconfig: '', context: 'cloud' },
    server: 'cloud.example:443',
    version: () => Promise.resolve({ gitVersion }),
    get: ({ name }: { name: string }) => Promise.resolve(there.includes(name) ? {} : undefined),
    create: ({ spec }: { spec: { resourceAttributes: Attributes } }) => {
      asked.push(spec.resourceAttributes);
      return Promise.resolve({ status: { allowed: may(spec.resourceAttributes) } });
    },
  } as unknown as KubeClient;
  return { client, asked };
}
const needs = { namespaces: ['kafka', 'flink'], forwards: true, commands: true };
const isAll = ({ group, resource, verb }: Attributes): boolean => group === '*' && resource === '*' && verb === '*';

describe('what a cluster has to be', () => {
  it.each([
    ['v1.29.9', true],
    ['v1.30.0', false],
    ['v1.33.13-k3s1', false],
    ['v1.34.2-gke.1', false],
    ['v1.9.0', true],
    ['v2.0.0', false],
    ['unknown', false],
  ])('%s too old: %s', (version, expected) => {
    expect(isTooOld(version)).toBe(expected);
  });

  it('an administrator is asked one question', async () => {
    const { client, asked } = cluster('v1.33.0', () => true);
    await requireCluster(client, needs);
    expect(asked).toHaveLength(1);
  });

  it('all that is lacking is said at once', async () => {
    const may = (what: Attributes): boolean =>
      !isAll(what) && what.resource !== 'namespaces' && what.resource !== 'secrets' && what.subresource !== 'exec';
    const { client } = cluster('v1.28.3', may, ['flink']);
    await expect(requireCluster(client, needs)).rejects.toMatchObject({
      code: 'CLUSTER_LACKING',
      exitCode: 3,
      message: [
        'The cluster of context cloud (cloud.example:443) cannot hold the stack:',
        '  Kubernetes v1.28.3 is older than 1.30',
        '  this user may not get, list, watch, create, patch, delete secrets in kafka, flink',
        '  this user may not create pods/exec in kafka, flink',
        '  this user may not get namespaces',
      ].join('\n'),
    });
  });

  it.each([
    ['events', 'watch'],
    ['replicasets', 'list'],
    ['replicasets', 'watch'],
    ['pods', 'delete'],
  ])('the waits need more than to look once: %s, %s', async (resource, verb) => {
    const may = (what: Attributes): boolean => !isAll(what) && !(what.resource === resource && what.verb === verb);
    const text = `  this user may not ${verb} ${resource} in kafka, flink`;
    await expect(requireCluster(cluster('v1.33.0', may).client, needs)).rejects.toThrow(text);
  });

  it('rights in every namespace are enough, and namespaces that are there need not be made', async () => {
    const may = (what: Attributes): boolean => what.namespace !== undefined || (what.resource === 'namespaces' && what.verb === 'get');
    await requireCluster(cluster('v1.33.0', may, ['kafka', 'flink']).client, needs);
    await expect(requireCluster(cluster('v1.33.0', may, ['flink']).client, needs)).rejects.toThrow(
      'this user may not create namespaces, and these are not there: kafka',
    );
  });

  it('ports that are led by other means need no port-forward, and a stack without Flink no commands in pods', async () => {
    const may = (what: Attributes): boolean =>
      !isAll(what) && !['portforward', 'exec'].includes(what.subresource ?? '') && what.resource !== 'endpointslices';
    await requireCluster(cluster('v1.33.0', may).client, { ...needs, forwards: false, commands: false });
    await expect(requireCluster(cluster('v1.33.0', may).client, { ...needs, commands: false })).rejects.toThrow('create pods/portforward');
  });
});
