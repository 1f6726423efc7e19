import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import type { KubeObject } from '../../../src/clients/kubernetes-types.js';
import { allComponents } from '../../../src/components/index.js';
import { servicesOf } from '../../../src/workspace/services.js';
import { decoded, HARD, manifestFiles, renderAll, type Rendered } from '../../helpers/manifests.js';

interface Container {
  name: string;
  image: string;
  imagePullPolicy: string;
  securityContext: { allowPrivilegeEscalation?: boolean };
  resources: { requests: { memory: string }; limits: { memory: string } };
  startupProbe?: object;
  readinessProbe?: object;
  livenessProbe?: object;
}
interface PodSpec {
  enableServiceLinks: boolean;
  automountServiceAccountToken: boolean;
  securityContext: { runAsNonRoot?: boolean };
  initContainers?: Container[];
  containers: Container[];
  volumes?: { hostPath?: { path: string }; persistentVolumeClaim?: { claimName: string } }[];
}

interface Templated {
  template?: { metadata: { labels: Record<string, string> } };
}

const podOf = ({ spec }: KubeObject): PodSpec | undefined => (spec as { template?: { spec: PodSpec } } | undefined)?.template?.spec;
const pods = (rendered: Rendered): [string, PodSpec][] =>
  Object.values(rendered.objects)
    .flat()
    .flatMap((object) => {
      const pod = podOf(object);
      return pod === undefined ? [] : [[object.metadata.name, pod]];
    });
const mebibytes = (quantity: string): number => {
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity)!;
  return Number(amount) * (unit === 'Gi' ? 1024 : 1);
};
/** Memory of the pods that run all the time in the stack with these files. */
const memory = (rendered: Rendered, files: string[], which: 'requests' | 'limits'): number =>
  files
    .flatMap((file) => rendered.objects[file]!)
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .flatMap((object) => podOf(object)!.containers)
    .reduce((sum, { resources }) => sum + mebibytes(resources[which].memory), 0);

let k3d: Rendered;
let kubernetes: Rendered;
beforeAll(async () => {
  [k3d, kubernetes] = [await renderAll('k3d'), await renderAll('kubernetes')];
});

describe('manifests', () => {
  it('are all of those that there are', () => {
    expect(Object.keys(k3d.objects).sort()).toEqual(manifestFiles());
  });

  it('name no image themselves', () => {
    for (const file of manifestFiles()) {
      const text = readFileSync(join(packageRoot(), 'manifests', file), 'utf8');
      for (const [, image] of text.matchAll(/^\s*(?:- )?image: (.*)$/gm))
        expect([file, image]).toEqual([file, expect.stringMatching(/^\{\{ images\.[a-z-]+ \}\}$/)]);
    }
  });

  it('have what every component waits for', () => {
    const made = Object.values(k3d.objects)
      .flat()
      .map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    const wanted = allComponents().flatMap(({ kubernetes: part }) =>
      part.workloads.map(({ kind, name }) => `${kind} ${part.namespace}/${name}`),
    );
    expect(wanted.filter((name) => !made.includes(name))).toEqual([]);
  });

  it.each(['k3d', 'kubernetes'] as const)('are careful with every pod on %s', (runtime) => {
    const rendered = { k3d, kubernetes }[runtime];
    const images = new Set(Object.values(Object.values(rendered.stacks)[0]!.images));
    for (const [name, pod] of pods(rendered)) {
      expect(pod, name).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
      // The images of these two run as root.
      if (!['localstack', 'risingwave'].includes(name)) expect(pod.securityContext.runAsNonRoot, name).toBe(true);
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(container, `${name} ${container.name}`).toMatchObject({
          imagePullPolicy: 'IfNotPresent',
          securityContext: { allowPrivilegeEscalation: false },
        });
        expect(images.has(container.image), container.image).toBe(true);
        expect(mebibytes(container.resources.limits.memory)).toBeGreaterThanOrEqual(mebibytes(container.resources.requests.memory));
      }
      if (name === 'polaris-bootstrap') continue;
      for (const { startupProbe, readinessProbe, livenessProbe } of pod.containers)
        expect(
          [startupProbe, readinessProbe, livenessProbe].every((probe) => probe !== undefined),
          name,
        ).toBe(true);
    }
  });

  it('give the node of a k3d cluster exactly the ports that it maps, and no other cluster any', () => {
    const ports = (rendered: Rendered): [string, number, number][] =>
      Object.values(rendered.objects)
        .flat()
        .filter(({ kind, spec }) => kind === 'Service' && (spec as { type?: string }).type === 'NodePort')
        .flatMap(({ metadata, spec }) =>
          (spec as { ports: { port: number; nodePort: number }[] }).ports.map(({ port, nodePort }): [string, number, number] => [
            metadata.namespace!,
            port,
            nodePort,
          ]),
        );
    const choices = [servicesOf({ catalog: 'polaris', engine: 'risingwave' }), servicesOf({ catalog: 'iceberg-rest', engine: 'flink' })];
    const wanted = choices.flatMap((services) =>
      Object.values(services).map(({ namespace, hostPort, nodePort }) => `${namespace} ${hostPort} ${nodePort}`),
    );
    expect(
      ports(k3d)
        .map((port) => port.join(' '))
        .sort(),
    ).toEqual([...new Set(wanted)].sort());
    expect(ports(kubernetes)).toEqual([]);
  });

  it('lead every service to pods of this workspace only, by labels that the pods have', () => {
    for (const [file, objects] of Object.entries(k3d.objects)) {
      const { id } = k3d.stacks[file]!.workspace;
      const labels = objects.map(({ spec }) => (spec as Templated | undefined)?.template?.metadata.labels ?? {});
      for (const { kind, metadata, spec } of objects) {
        if (kind !== 'Service') continue;
        const { selector } = spec as { selector: Record<string, string> };
        expect(selector, metadata.name).toMatchObject({ 'forge.dev/workspace': id });
        const takes = labels.filter((one) => Object.entries(selector).every(([key, value]) => one[key] === value));
        expect(takes, metadata.name).toHaveLength(1);
      }
    }
  });

  it('keep data in folders of a k3d node, and elsewhere in claims of the cluster’s own storage', () => {
    const volumes = (rendered: Rendered) => pods(rendered).flatMap(([, { volumes: all }]) => all ?? []);
    expect(volumes(k3d).filter(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined)).toEqual([]);
    expect(
      volumes(k3d)
        .flatMap(({ hostPath }) => hostPath?.path ?? [])
        .filter((path) => !/^\/(var\/lib\/forge|forge-packages)\//.test(path)),
    ).toEqual([]);
    expect(volumes(kubernetes).filter(({ hostPath }) => hostPath !== undefined)).toEqual([]);
    const claims = Object.values(kubernetes.objects)
      .flat()
      .filter(({ kind }) => kind === 'PersistentVolumeClaim')
      .map(({ metadata }) => metadata.name);
    expect([...new Set(volumes(kubernetes).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []))].sort()).toEqual(
      claims.sort(),
    );
  });

  it('never name a claim twice in a pod: such a pod never starts', () => {
    for (const [name, { volumes = [] }] of pods(kubernetes)) {
      const claims = volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
      expect([name, claims]).toEqual([name, [...new Set(claims)]]);
    }
  });

  it('let a Job pull its image for as long as forge waits for that', () => {
    const jobs = Object.values(k3d.objects)
      .flat()
      .filter(({ kind }) => kind === 'Job');
    expect(jobs.map(({ metadata }) => metadata.name)).toEqual(['polaris-bootstrap']);
    for (const { spec } of jobs)
      expect((spec as { activeDeadlineSeconds: number }).activeDeadlineSeconds).toBeGreaterThanOrEqual(1800 + 300);
  });

  it('hold credentials as they are, whatever is in them', () => {
    const secret = (file: string, name: string): Record<string, string> =>
      decoded(k3d.objects[file]!.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name)!);
    expect(secret('postgresql/postgresql.yaml', 'postgresql')).toEqual({ username: 'forge', password: `superuser ${HARD}` });
    expect(secret('flink/flink.yaml', 'aws')['AWS_SECRET_ACCESS_KEY']).toBe(`object store ${HARD}`);
    expect(secret('polaris/polaris.yaml', 'polaris-tokens')['private.pem']).toBe('-----BEGIN PRIVATE KEY-----\nMIIJ\n');
    expect(JSON.parse(secret('polaris/realm.yaml', 'polaris-root')['credentials.json']!)).toEqual({
      POLARIS: { 'client-id': 'root', 'client-secret': `root ${HARD}` },
    });
    const plain = Object.values(k3d.objects)
      .flat()
      .filter(({ kind }) => kind !== 'Secret');
    expect(JSON.stringify(plain)).not.toContain(JSON.stringify(HARD).slice(1, -1));
  });
});

describe('memory', () => {
  const common = ['kafka/kafka.yaml', 'localstack/localstack.yaml', 'postgresql/postgresql.yaml'];
  const stacks = {
    'RisingWave and Polaris': [...common, 'polaris/polaris.yaml', 'risingwave/risingwave.yaml'],
    'Flink and Iceberg REST': [...common, 'iceberg-rest/iceberg-rest.yaml', 'flink/flink.yaml'],
  };

  it.each(Object.entries(stacks))('of %s fits a laptop with 8 GiB', (_name, files) => {
    // The cluster itself takes about half of one.
    expect(memory(k3d, files, 'limits')).toBeLessThan(7.5 * 1024);
    expect(memory(k3d, files, 'requests')).toBeLessThan(4 * 1024);
  });

  it('follows what the configuration gives a server', async () => {
    const more = await renderAll('k3d', { 'components.kafka.heap': '1g' });
    const limit = (rendered: Rendered): number => memory(rendered, ['kafka/kafka.yaml'], 'limits');
    expect(limit(more) - limit(k3d)).toBe(1024 - 192);
  });

  it('of LocalStack, which holds all objects, can be raised; it asks for no more than it may take', async () => {
    const file = ['localstack/localstack.yaml'];
    const of = (rendered: Rendered): number[] => (['requests', 'limits'] as const).map((which) => memory(rendered, file, which));
    expect(of(k3d)).toEqual([256, 2048]);
    expect(of(await renderAll('k3d', { 'components.localstack.memory': '3g' }))).toEqual([256, 3072]);
    expect(of(await renderAll('k3d', { 'components.localstack.memory': '128m' }))).toEqual([128, 128]);
  });
});

describe("Flink's connectors", () => {
  it('are those of packages.yaml: mounted from the cache on k3d, fetched once elsewhere', () => {
    const text = (rendered: Rendered): string => JSON.stringify(rendered.objects['flink/flink.yaml']);
    expect(text(k3d)).toMatch(/"\/forge-packages\/flink-connectors-[\d.]+-[0-9a-f]{8}"/);
    expect(text(k3d)).not.toContain('mvn');
    const coordinates = readFileSync(join(packageRoot(), 'packages.yaml'), 'utf8')
      .split('flink-connectors:')[1]!
      .split('iceberg-rest:')[0]!
      .match(/[\w.]+:[\w.-]+:[\d.-]+/g)!;
    expect(coordinates.length).toBeGreaterThan(5);
    for (const one of coordinates.filter((name) => !name.includes('sql-gateway'))) expect(text(kubernetes)).toContain(`fetch ${one}`);
  });
});

describe('the identity of the Kafka cluster', () => {
  it('stays, is that of one workspace, and is none that Kafka takes for a flag', async () => {
    const { kafka } = Object.fromEntries(allComponents().map((component) => [component.name, component.kubernetes]));
    const idOf = async (id: string): Promise<string> => {
      const stack = k3d.stacks['kafka/kafka.yaml']!;
      return String((await kafka!.values!({ ...stack, workspace: { ...stack.workspace, id } }))['clusterId']);
    };
    const ids = await Promise.all(Array.from({ length: 200 }, (_, at) => idOf(String(at))));
    expect(new Set(ids).size).toBe(200);
    expect(await idOf('7')).toBe(ids[7]);
    for (const id of ids) expect([id, Buffer.from(id, 'base64url').length, id.startsWith('-')]).toEqual([id, 16, false]);
  });
});
