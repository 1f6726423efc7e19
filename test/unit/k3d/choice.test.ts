import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { manifestImages } from '../../../src/components/pods.js';
import { imagesNeeded } from '../../../src/lifecycle/image-list.js';
import { k3dImage } from '../../../src/modules/k3d-image.js';
import { imagesHere } from '../../../src/runtimes/k3d/choice.js';
import { generatedFile } from '../../../src/runtimes/kubernetes/apply.js';
import type { StackContext } from '../../../src/workspace/context.js';
import { imageChoices } from '../../../src/workspace/images.js';
import { openStack } from '../../../src/workspace/open.js';
import { scratch } from '../../helpers/folders.js';
import { fakePrograms, stackAt } from './fakes.js';

const fakes = fakePrograms();
const { signal } = new AbortController();
const NAME = 'iceberg-rest';
const [FIRST, LAST] = ['apache/iceberg-rest-fixture:1.11.0', 'apache/iceberg-rest-fixture:1.10.1'];

/** What this machine's Docker and the node have; no node when left out. */
function have(local: string[], node?: string[]): void {
  const does = `case "$3" in ${["''", ...local].join('|')}) ;; *) echo "Error: No such image: $3" >&2; exit 1;; esac`;
  const exec = node === undefined ? { err: 'Error: No such container\n', code: 1 } : node.map((one) => `docker.io/${one}\n`).join('');
  fakes.docker({ 'image inspect': { out: '[{"Id":"sha256:1","Size":5}]', does }, exec });
}
function applied(stack: StackContext, image: string): void {
  const file = generatedFile(stack.workspace, `${NAME}/${NAME}.yaml`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, stringify({ spec: { containers: [{ name: NAME, image, ports: [] }] } }));
}
const used = async (stack: StackContext): Promise<string | undefined> => (await imagesHere(stack, [NAME], signal))[NAME];

describe('images.yaml', () => {
  it('may leave a choice, whose last can always be pulled; the mirror is put before all of it, and a configured image replaces it', () => {
    const of = (images: object) => imageChoices(path.resolve('.'), { images });
    expect(of({})[NAME]).toEqual([FIRST, LAST]);
    expect(of({ mirror: 'registry.local/m/' })[NAME]).toEqual([`registry.local/m/${FIRST}`, `registry.local/m/${LAST}`]);
    expect(of({ [NAME]: 'own:1' })[NAME]).toEqual(['own:1']);
    expect(of({})['postgresql']).toEqual(['postgres:17']);
  });
});

describe('the image that is used, of several', () => {
  it.each<[string, string[], string[] | undefined, string | undefined, string]>([
    ['nothing is here', [], undefined, undefined, LAST],
    ['both are here', [FIRST, LAST], undefined, undefined, FIRST],
    ['only the last is here', [LAST], [], undefined, LAST],
    ['only the node has one', [], [FIRST], undefined, FIRST],
    ['one was applied, and another has come since', [FIRST, LAST], [LAST], LAST, LAST],
    ['one was applied, and only the node has it still', [LAST], [FIRST], FIRST, FIRST],
    ['one was applied and is nowhere any more', [LAST], [], FIRST, LAST],
    ['one was applied that is none of them any more', [FIRST], [], 'apache/iceberg-rest-fixture:1.9.0', FIRST],
  ])('%s', async (_what, local, node, before, expected) => {
    const { stack } = await stackAt(scratch());
    have(local, node);
    if (before !== undefined) applied(stack, before);
    expect(await used(stack)).toBe(expected);
  });

  it('is the same for the list of images, the node and the manifest', async () => {
    const { stack } = await stackAt(scratch());
    have([LAST], []);
    const context = { stack, signal, progress: () => undefined, waitingFor: () => undefined };
    expect((await imagesNeeded(stack, signal)).find(({ name }) => name === NAME)?.image).toBe(LAST);
    expect(await k3dImage.observe({ image: NAME }, context)).toMatchObject({ message: `${LAST} is not in the cluster` });
    // What comes in the middle of a run changes nothing in it.
    have([FIRST, LAST], []);
    expect((await manifestImages(stack, `${NAME}/${NAME}.yaml`, signal))[NAME]).toBe(LAST);
    const next = (await stackAt(scratch())).stack;
    expect((await manifestImages(next, `${NAME}/${NAME}.yaml`, signal))[NAME]).toBe(FIRST);
  });

  it('is looked for only where it is used and none is configured', async () => {
    const { stack } = await stackAt(scratch());
    await imagesHere(stack, ['kafka', 'polaris'], signal);
    await manifestImages(stack, 'kafka/kafka.yaml', signal);
    const own = (await stackAt(scratch(), { 'images.iceberg-rest': 'own:1' })).stack;
    expect(await used(own)).toBe('own:1');
    expect(fakes.calls()).toEqual([]);
  });
});

describe('on a cluster that is not forge’s', () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });

  /** What its nodes hold, or the status with which it refuses to tell. */
  async function withNodes(answer: string[][] | number): Promise<StackContext> {
    const server = createServer((_, response) => {
      const items = typeof answer === 'number' ? [] : answer.map((names) => ({ status: { images: [{ names }] } }));
      response.writeHead(typeof answer === 'number' ? answer : 200).end(JSON.stringify({ metadata: {}, items }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stops.push(() => (server.closeAllConnections(), server.close()));
    const root = scratch();
    const { port } = server.address() as AddressInfo;
    const clusters = [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }];
    const contexts = [{ name: 'mine', context: { cluster: 'c', user: 'u' } }];
    process.env['KUBECONFIG'] = path.join(root, 'kubeconfig');
    writeFileSync(process.env['KUBECONFIG'], stringify({ clusters, contexts, users: [{ name: 'u', user: {} }] }));
    const flags = { runtime: 'kubernetes', 'kubernetes.context': 'mine', catalog: NAME };
    return (await openStack({ root, env: {}, cacheDir: scratch(), packageRoot: path.resolve('.'), flags })).stack;
  }

  it.each<[string, string[][] | number, string]>([
    ['every node has the first', [[`docker.io/${FIRST}`], ['docker.io/library/x:1', `docker.io/${FIRST}`]], FIRST],
    ['one node lacks it', [[`docker.io/${FIRST}`], []], LAST],
    ['nodes may not be looked at', 403, LAST],
    ['there is none', [], LAST],
  ])('%s', async (_what, answer, expected) => {
    expect(await used(await withNodes(answer))).toBe(expected);
  });

  it('what was applied stays, whatever the nodes say of their images: they name the largest only', async () => {
    const stack = await withNodes([[]]);
    applied(stack, FIRST);
    expect(await used(stack)).toBe(FIRST);
  });
});
