import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configSchema } from '../../../src/config/schema.js';
import type { StackPlace } from '../../../src/doctor/check.js';
import { clusterReachable } from '../../../src/doctor/checks/servers/cluster-reachable.js';
import { placeOf } from '../../helpers/doctor-place.js';
import { startExpiredApi, type ExpiredApi } from '../../helpers/expired-api.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forge-kubeconfig-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A stack in this context, with a kubeconfig whose only context is `work`. */
function placeIn(context: string, server: string, ca?: string): StackPlace {
  const file = join(folder, 'config');
  writeFileSync(
    file,
    `apiVersion: v1
kind: Config
current-context: work
contexts: [{ name: work, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: '${server}'${ca === undefined ? '' : `, certificate-authority-data: ${Buffer.from(ca).toString('base64')}`} } }]
users: [{ name: u, user: {} }]
`,
  );
  vi.stubEnv('KUBECONFIG', file);
  return placeOf({ stack: { runtime: 'kubernetes', config: configSchema.parse({ runtime: 'kubernetes', kubernetes: { context } }) } });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

it('a context that is gone is told with the contexts that there are', async () => {
  const [trouble] = await clusterReachable.look(placeIn('gone', 'http://127.0.0.1:1'));
  expect([trouble?.title, trouble?.fix]).toEqual(['The cluster of context gone cannot be used', undefined]);
  expect(`${trouble?.cause} ${trouble?.remedy}`).toMatch(/\bgone\b.*\bwork\b/s);
});

it('an API that does not answer is told with its address', async () => {
  const port = await freePort();
  const [trouble] = await clusterReachable.look(placeIn('work', `http://127.0.0.1:${port}`));
  expect(trouble?.cause).toContain(`127.0.0.1:${port}`);
});

describe('a certificate that has expired', () => {
  let api: ExpiredApi;
  beforeEach(async () => {
    api = await startExpiredApi();
  });
  afterEach(() => api.stop());

  it('is told of an existing cluster, with what renews it', async () => {
    const [trouble] = await clusterReachable.look(placeIn('work', api.url, api.cert));
    expect(trouble).toMatchObject({
      title: 'The cluster of context work cannot be used',
      cause: expect.stringMatching(/certificate has expired/) as string,
      remedy: expect.stringMatching(/renewed.*clock/) as string,
    });
    expect(trouble?.fix).toBeUndefined();
  });
});

it('is no matter of processes', () => {
  expect(clusterReachable.concerns?.(placeOf({}))).toBe(false);
});
