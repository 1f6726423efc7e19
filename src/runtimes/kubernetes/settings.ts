import { refOf, type KubeClient, type KubeObject } from '../../clients/kubernetes.js';
import { hashOf, RUNS_ON, settingsNames, withPodAnnotation } from './hashes.js';
import { CONFIG_ELSEWHERE } from './labels.js';
import type { Manifest } from './render.js';

/**
 * The manifest with a note of the settings that its pods are given by other manifests, as they are in the cluster now: a pod has
 * to start anew with another password too when the Secret came with another file.
 */
export async function withSettingsElsewhere(client: KubeClient, manifest: Manifest, signal?: AbortSignal): Promise<Manifest> {
  const here = new Set(manifest.objects.map(keyOf));
  const read = new Map<string, Promise<KubeObject | undefined>>();
  const look = (kind: string, namespace: string | undefined, name: string): Promise<KubeObject | undefined> => {
    const key = `${kind} ${namespace ?? ''}/${name}`;
    const found = read.get(key) ?? client.get({ apiVersion: 'v1', kind, namespace, name }, { signal });
    read.set(key, found);
    return found;
  };
  const objects = await Promise.all(
    manifest.objects.map(async (object) => {
      if (!RUNS_ON.has(object.kind)) return object;
      const { namespace } = object.metadata;
      const names = settingsNames(object['spec']).filter((name) => !here.has(name.replace(' ', ` ${namespace ?? ''}/`)));
      if (names.length === 0) return object;
      const given = await Promise.all(
        [...new Set(names)].map(async (name) => {
          const [kind = '', title = ''] = name.split(' ');
          const found = await look(kind, namespace, title);
          return [name, found?.['data'] ?? null, found?.['binaryData'] ?? null];
        }),
      );
      return withPodAnnotation(object, CONFIG_ELSEWHERE, hashOf(given));
    }),
  );
  return { ...manifest, objects };
}

function keyOf(object: KubeObject): string {
  const { kind, namespace, name } = refOf(object);
  return `${kind} ${namespace ?? ''}/${name}`;
}
