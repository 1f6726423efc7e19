import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { openCredentials } from '../../src/workspace/credentials.js';
import { workspaceAt } from '../../src/workspace/workspace.js';
import { playBootstrap, startPolaris, startServers, type PolarisServer } from './default-stack-servers.js';
import { startRisingWave, type RisingWaveServer } from './default-stack-risingwave.js';
import { runForge, told, type Ran, type RunOptions } from './forge.js';
import { drawn, hard } from './secrets.js';
import { freeRow, startFakeCluster, type FakeCluster } from './kwok.js';

export const CONTEXT = 'forge-test';

/** Hard to quote, and not like anything else that forge says; the principal's are Polaris' own to give. */
const { 'polaris-principal': _, ...CREDENTIALS } = drawn(hard, 5);

/** The ports that this machine reaches the stack on, and those that Kafka needs beside them as a process. */
const PORTS = ['kafka', 'kafka-controller', 'localstack', 'postgresql', 'catalog', 'catalog-management', 'risingwave'] as const;

/** The whole default stack: pods on a node that only says that they run, with servers at their endpoints. */
export interface DefaultStack {
  cluster: FakeCluster;
  root: string;
  ports: Record<(typeof PORTS)[number], number>;
  polaris: PolarisServer;
  risingwave: RisingWaveServer;
  /** Runs forge in the workspace; all that it says is kept for `secretsSaid`. */
  forge<T>(args: string[], options?: RunOptions): Promise<Ran<T>>;
  /** As `forge`, with --json, and throws when the exit code is another one. */
  ok<T>(args: string[], code?: number): Promise<T>;
  /** Credentials of the workspace, and values given here, that forge has said in clear or as base64; by name and field. */
  secretsSaid(more?: string[]): string[];
  close(): Promise<void>;
}

export async function defaultStack(): Promise<DefaultStack> {
  const folder = await mkdtemp(join(tmpdir(), 'forge-default-'));
  const root = join(folder, 'workspace');
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const step of undo.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const cluster = await startFakeCluster(join(folder, 'cluster'), CONTEXT);
    undo.push(() => cluster.stop());
    const first = await freeRow(PORTS.length);
    const ports = Object.fromEntries(PORTS.map((name, at) => [name, first + at])) as DefaultStack['ports'];
    const [stopServers, polaris, risingwave] = await Promise.all([
      startServers(join(folder, 'servers'), ports, CREDENTIALS),
      startPolaris(
        { api: ports.catalog, management: ports['catalog-management'], postgresql: ports.postgresql, s3: ports.localstack },
        CREDENTIALS,
      ),
      startRisingWave(ports.risingwave),
    ]);
    undo.push(
      stopServers,
      () => polaris.stop(),
      () => risingwave.stop(),
    );
    undo.push(playBootstrap(cluster.api, polaris.store));
    const credentials = openCredentials(workspaceAt(root));
    for (const [name, fields] of Object.entries(CREDENTIALS)) await credentials.write(name, fields);
    const settings = {
      runtime: 'kubernetes',
      engine: 'risingwave',
      catalog: 'polaris',
      kubernetes: { context: CONTEXT, access: 'direct' },
      ports,
    };
    await writeFile(join(root, 'forge.yaml'), stringify(settings));
    return { cluster, root, ports, polaris, risingwave, close, ...teller(root, cluster.kubeconfig) };
  } catch (error) {
    await close();
    throw error;
  }
}

function teller(root: string, kubeconfig: string): Pick<DefaultStack, 'forge' | 'ok' | 'secretsSaid'> {
  let said = '';
  const secrets = new Map<string, string>();
  const forge = async <T>(args: string[], options: RunOptions = {}): Promise<Ran<T>> => {
    const env = { KUBECONFIG: kubeconfig, FORGE_RUNTIME: 'kubernetes', ...options.env };
    const ran = await runForge<T>(args, root, { ...options, env });
    said += `${ran.stdout}\n${ran.stderr}\n`;
    for (const [name, value] of secretsIn(join(root, '.forge', 'credentials'))) secrets.set(value, name);
    return ran;
  };
  return {
    forge,
    async ok<T>(args: string[], code = 0): Promise<T> {
      const ran = await forge<T>([...args, '--json']);
      if (ran.code !== code) throw new Error(`forge ${args.join(' ')} exits ${ran.code}, not ${code}:\n${told(ran)}`);
      return ran.json;
    },
    secretsSaid(more = []) {
      const all = [...secrets, ...more.map((value) => [value, 'another secret'] as const)];
      return all
        .filter(([value]) => [value, Buffer.from(value).toString('base64')].some((text) => said.includes(text)))
        .map(([, name]) => name);
    },
  };
}

/** Every secret of the credential files; keys line by line, as they are escaped in JSON. */
function secretsIn(folder: string): [name: string, value: string][] {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  return files.flatMap((file) =>
    Object.entries(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, string>)
      .filter(([field]) => field !== 'username')
      .flatMap(([field, value]) => value.split('\n').map((line): [string, string] => [`${file} ${field}`, line]))
      .filter(([, value]) => value.length >= 12),
  );
}
