import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../workspace/atomic.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { Drift } from './drift.js';

const MODE = 0o600;

/** forge's own; ~/.kube/config is the user's. */
export const kubeconfigFile = ({ forgeDir }: Pick<Workspace, 'forgeDir'>): string => path.join(forgeDir, 'kubeconfig');

/** What a request to the cluster's API needs. The certificate of its authority tells it from every other cluster. */
export interface ApiAccess {
  server: string;
  ca: Buffer;
  cert: Buffer;
  key: Buffer;
}

const pem = z.base64().transform((text) => Buffer.from(text, 'base64'));
const schema = z.object({
  'current-context': z.string(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(z.object({ name: z.string(), cluster: z.object({ server: z.string(), 'certificate-authority-data': pem }) })),
  users: z.array(z.object({ name: z.string(), user: z.object({ 'client-certificate-data': pem, 'client-key-data': pem }) })),
});

/** The access that a kubeconfig gives to this cluster on that port of this machine; undefined when it leads elsewhere. */
export async function accessOf(text: string, cluster: string, port: number | undefined): Promise<ApiAccess | undefined> {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    return undefined;
  }
  const { data } = schema.safeParse(value);
  const context = data?.contexts.find(({ name }) => name === `k3d-${cluster}` && name === data['current-context'])?.context;
  const own = data?.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = data?.users.find(({ name }) => name === context?.user)?.user;
  if (own === undefined || user === undefined || own.server !== `https://127.0.0.1:${port}`) return undefined;
  return { server: own.server, ca: own['certificate-authority-data'], cert: user['client-certificate-data'], key: user['client-key-data'] };
}

/** What .forge/kubeconfig gives, or in what it is not the cluster's own; nothing of its text is told, as it holds keys. */
export async function readKubeconfig(
  workspace: Workspace,
  cluster: string,
  port: number | undefined,
): Promise<{ drift: Drift[]; access?: ApiAccess }> {
  const file = kubeconfigFile(workspace);
  const drift = (is: string, field = 'kubeconfig', should = `that of ${cluster}`) => ({ drift: [{ field, is, should }] });
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined) return drift('missing');
  if (!found.isFile()) return drift('no file');
  const mode = (found.mode & 0o777).toString(8);
  if (mode !== MODE.toString(8)) return drift(mode, 'kubeconfig mode', MODE.toString(8));
  const access = await accessOf(await readFile(file, 'utf8').catch(() => ''), cluster, port);
  return access === undefined ? drift('another one') : { drift: [], access };
}

/** Writes it where it is not this one already. */
export async function writeKubeconfig(workspace: Workspace, text: string): Promise<void> {
  const file = kubeconfigFile(workspace);
  const found = await lstat(file).catch(() => undefined);
  const isGood = found?.isFile() === true && (found.mode & 0o777) === MODE && (await readFile(file, 'utf8').catch(() => '')) === text;
  if (!isGood) await writeFileAtomic(file, text, { mode: MODE });
}
