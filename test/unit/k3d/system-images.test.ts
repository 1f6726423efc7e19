import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { listImages, pullImages, saveStackImages } from '../../../src/lifecycle/images.js';
import { k3dRuntime } from '../../../src/lifecycle/runtimes/k3d.js';
import { clusterName } from '../../../src/runtimes/k3d/name.js';
import { bringSystemImages, systemImages } from '../../../src/runtimes/k3d/system-images.js';
import { scratch } from '../../helpers/folders.js';
import { codeOf, fakePrograms, stackAt } from './fakes.js';

const fakes = fakePrograms();
const { signal } = new AbortController();
const PAUSE = 'rancher/mirrored-pause:3.6';
const COREDNS = 'rancher/mirrored-coredns-coredns:1.14.4';
let root: string;
beforeEach(() => {
  root = scratch();
  have([]);
});

/** What this machine's Docker has, what can be pulled, and what the node has. */
function have(local: string[], { pullable = [], node = [] }: { pullable?: string[]; node?: string[] } = {}): void {
  const among = (list: string[], otherwise: string): string => `case "$word" in ${["''", ...list].join('|')}) ;; *) ${otherwise};; esac`;
  const isPulled = 'touched=; [ -e "$home/pulled" ] && while read -r one; do [ "$one" = "$word" ] && touched=1; done <"$home/pulled"';
  const refuse = 'echo "Error: No such image: $word" >&2; exit 1';
  fakes.docker({
    'image inspect': {
      out: '[{"Id":"sha256:1","Size":5}]',
      does: `word=$3\n${isPulled}\nif [ -z "$touched" ]; then ${among(local, refuse)}; fi`,
    },
    pull: { does: `word=$2\n${among(pullable, 'echo "dial tcp: no such host" >&2; exit 1')}\necho "$word" >>"$home/pulled"` },
    save: { does: 'case "$2" in --output|-o) : >"$3";; esac' },
    exec: { out: node.map((one) => `docker.io/${one}\n`).join(''), does: '[ "$2" = -i ] && cat >/dev/null' },
  });
}
const place = () => ({ folder: root, cacheDir: scratch(), packageRoot: path.resolve('.'), flags: { runtime: 'k3d' }, signal });
const pull = () => pullImages({ ...place(), progress: () => undefined });
const servers = async (): Promise<string[]> => (await listImages(place())).images.map(({ image }) => image);
const calls = (start: string): string[] => fakes.calls().filter((call) => call.startsWith(start));

describe('images of k3s’ own', () => {
  it('are those of the k3s that forge pins, behind the mirror too; of another one nobody knows them', async () => {
    const of = async (flags: Record<string, string>) => systemImages((await stackAt(scratch(), flags)).stack);
    expect(await of({})).toEqual([
      { name: 'k3s-pause', image: PAUSE, inNode: PAUSE },
      { name: 'k3s-coredns', image: COREDNS, inNode: COREDNS },
    ]);
    expect((await of({ 'images.mirror': 'registry.local:5000/m' })).map(({ image }) => image)).toEqual([
      `registry.local:5000/m/${PAUSE}`,
      `registry.local:5000/m/${COREDNS}`,
    ]);
    expect(await of({ 'images.k3s': 'registry.local/k3s:v1.30.0-k3s1' })).toEqual([]);
  });

  it('are pulled with the others, saved and listed; one that cannot be had fails nothing and is not missed', async () => {
    const others = await servers();
    expect(others).not.toContain(PAUSE);
    have([], { pullable: [...others, PAUSE] });
    const { pulled, complete, images } = await pull();
    expect([...pulled].sort()).toEqual([...others, PAUSE].sort());
    expect(complete).toBe(true);
    expect(images.find(({ image }) => image === PAUSE)).toEqual({ name: 'k3s-pause', image: PAUSE, here: true, bytes: 5, inCluster: null });
    expect(images.some(({ image }) => image === COREDNS)).toBe(false);
    const saved = await saveStackImages({ ...place(), file: path.join(root, 'images.tar') });
    expect([...saved.images].sort()).toEqual([...others, PAUSE].sort());
  });

  it('are pulled for the archive, where a cluster has had them without Docker', async () => {
    const others = await servers();
    have(others, { pullable: [PAUSE, COREDNS] });
    const { images } = await saveStackImages({ ...place(), file: path.join(root, 'images.tar') });
    expect(images).toEqual(expect.arrayContaining([...others, PAUSE, COREDNS]));
  });

  it('are not asked for by up --offline', async () => {
    const others = await servers();
    have(others);
    const { stack } = await stackAt(root, { engine: 'risingwave', catalog: 'polaris' });
    expect(await codeOf(k3dRuntime.require({ ...stack, orders: { offline: true } }, signal))).toBe('none');
  });
});

describe('the node', () => {
  const bring = async (flags: Record<string, string> = {}): Promise<string> => {
    const { stack } = await stackAt(root, flags);
    const name = clusterName(stack);
    await bringSystemImages(stack, name, { signal, progress: () => undefined });
    return `k3d-${name}-server-0`;
  };

  it('gets those that this machine has and it has not', async () => {
    have([PAUSE, COREDNS], { node: [PAUSE] });
    await bring();
    expect(calls('docker save')).toEqual([`docker save ${COREDNS}`]);
  });

  it('keeps its peace where it has them, and where this machine has none', async () => {
    have([PAUSE, COREDNS], { node: [PAUSE, COREDNS] });
    await bring();
    have([], { node: [] });
    await bring();
    expect(calls('docker save')).toEqual([]);
  });

  it('gets those of a mirror under the names that k3s knows', async () => {
    const mirror = 'registry.local:5000/m';
    have([`${mirror}/${PAUSE}`]);
    const node = await bring({ 'images.mirror': mirror });
    expect(calls('docker save')).toEqual([`docker save ${mirror}/${PAUSE}`]);
    expect(calls(`docker exec ${node} ctr -n k8s.io images tag`)).toEqual([
      `docker exec ${node} ctr -n k8s.io images tag --force ${mirror}/${PAUSE} docker.io/${PAUSE}`,
    ]);
  });

  it('is asked for nothing more where images.yaml names none', async () => {
    const packageRoot = scratch();
    mkdirSync(packageRoot, { recursive: true });
    writeFileSync(path.join(packageRoot, 'images.yaml'), stringify({ k3s: 'rancher/k3s:v1' }));
    expect(systemImages({ packageRoot, images: { k3s: 'rancher/k3s:v1' } })).toEqual([]);
  });
});
