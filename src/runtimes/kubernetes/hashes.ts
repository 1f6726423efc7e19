import { createHash } from 'node:crypto';
import type { KubeObject } from '../../clients/kubernetes-types.js';
import { CONFIG, HASH } from './labels.js';

interface Template {
  metadata?: { annotations?: Record<string, string> };
}

/** What runs pods that go on until they are told to end. */
export const RUNS_ON: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

/**
 * Notes what cannot be seen otherwise: a Job gets the hash of what it is made from, and pods that run on get the hash of the
 * settings of the same manifest that they are given, because a pod never notices that a ConfigMap or a Secret changed.
 */
export function withHashes(objects: KubeObject[]): KubeObject[] {
  return objects.map((object) => {
    if (object.kind === 'Job') return { ...object, metadata: annotated(object.metadata, HASH, hashOf(object['spec'])) };
    if (!RUNS_ON.has(object.kind)) return object;
    const names = settingsNames(object['spec']);
    const given = objects.filter(
      ({ kind, metadata }) => metadata.namespace === object.metadata.namespace && names.includes(`${kind} ${metadata.name}`),
    );
    if (given.length === 0) return object;
    const hash = hashOf(given.map(({ kind, metadata, data, binaryData }) => [kind, metadata.name, data, binaryData]));
    return withPodAnnotation(object, CONFIG, hash);
  });
}

/** The same workload with an annotation on its pods; a new value starts them anew. */
export function withPodAnnotation(object: KubeObject, name: string, value: string): KubeObject {
  const spec = object['spec'] as { template?: Template } | undefined;
  const template = { ...spec?.template, metadata: annotated(spec?.template?.metadata ?? {}, name, value) };
  return { ...object, spec: { ...spec, template } };
}

const annotated = <T extends { annotations?: Record<string, string> }>(metadata: T, name: string, value: string): T => ({
  ...metadata,
  annotations: { ...metadata.annotations, [name]: value },
});

/** The ConfigMaps and Secrets that a pod is given, wherever in its description they are named. */
export function settingsNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(settingsNames);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const kind = /^configMap(Ref|KeyRef)?$/.test(key) ? 'ConfigMap' : /^secret(Ref|KeyRef)?$/.test(key) ? 'Secret' : undefined;
    if (kind === undefined || typeof inner !== 'object' || inner === null) return settingsNames(inner);
    const { name, secretName } = inner as { name?: unknown; secretName?: unknown };
    return [name, secretName].filter((one) => typeof one === 'string').map((one) => `${kind} ${one}`);
  });
}

/** The same for the same content, in whatever order it is written. 48 bits give no secret away. */
export const hashOf = (value: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex')
    .slice(0, 12);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
