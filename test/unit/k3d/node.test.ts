import { describe, expect, it } from 'vitest';
import { containersNamed } from '../../../src/clients/docker-objects.js';
import { hasLostK3s, notReady, whileK3sLives } from '../../../src/runtimes/k3d/node.js';
import { codeOf, containers, fakePrograms } from './fakes.js';

const fakes = fakePrograms();
const signal = new AbortController().signal;
const ENTRY = '7 /bin/sh /bin/k3d-entrypoint.sh server\n';
const SHIM = '90 /bin/containerd-shim-runc-v2 -namespace k8s.io -id x -address /run/k3s/containerd/containerd.sock\n';
const top = (...lines: string[]): Record<string, string> => ({ top: ['PID COMMAND\n', ...lines].join('') });
const node = async (status = 'running') => {
  fakes.docker(containers({ name: 'k3d-x-server-0', status, labels: {} }));
  return (await containersNamed(['k3d-x-server-0']))[0]!;
};

describe('Kubernetes in a node that runs', () => {
  it.each<[string, Record<string, string>, boolean]>([
    ['k3s as it is called', top(ENTRY, '20 /bin/k3s server --disable=traefik\n'), false],
    ['k3s as it calls itself', top(ENTRY, '20 k3s server\n', SHIM), false],
    ['only what waits for it', top(ENTRY), true],
    ['only pods that it left', top(ENTRY, SHIM), true],
  ])('%s: it has ended: %s', async (_what, answers, lost) => {
    const found = await node();
    fakes.docker(answers);
    expect(await hasLostK3s(found, signal)).toBe(lost);
  });

  it('what cannot be seen has not ended', async () => {
    const found = await node();
    fakes.docker({ top: { err: 'Error response from daemon: ps: unrecognized option\n', code: 1 } as never });
    expect(await hasLostK3s(found, signal)).toBe(false);
  });

  it('one that was started a moment ago is given time', async () => {
    const found = { ...(await node()), startedAt: new Date() };
    fakes.docker(top(ENTRY));
    expect(await hasLostK3s(found, signal)).toBe(false);
  });

  it('ends what waits for the node, and says why; what is done in time is passed on', async () => {
    await node();
    fakes.docker({ ...top(ENTRY), logs: 'the reason\nThe connection to the server 127.0.0.1:6443 was refused - did you\n' });
    const endless = (both: AbortSignal): Promise<never> =>
      new Promise((_, reject) => both.addEventListener('abort', () => reject(both.reason as Error)));
    const error = (await whileK3sLives('x', signal, endless).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'CLUSTER_NOT_READY', exitCode: 4 });
    expect(error.message).toContain('the reason');
    expect(error.message).not.toContain('did you');
    expect(await whileK3sLives('x', signal, () => Promise.resolve('done'))).toBe('done');
    const stop = new AbortController();
    setTimeout(() => stop.abort(Object.assign(new Error('by hand'), { code: 'BY_HAND' })), 50);
    expect(await codeOf(whileK3sLives('x', stop.signal, endless))).toBe('BY_HAND');
  });

  it('too few watchers of files are named where the log tells of them', async () => {
    fakes.docker({ logs: 'error creating fsnotify watcher: too many open files\n' });
    expect((await notReady('x', 'why', signal)).hint).toContain('fs.inotify.max_user_instances');
  });
});
