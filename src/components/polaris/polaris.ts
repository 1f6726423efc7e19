import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from '../../clients/http.js';
import { ForgeError } from '../../errors.js';
import { chooseJava } from '../../runtimes/process/toolchain/java.js';
import { findToolchain } from '../../runtimes/process/toolchain/toolchain.js';
import type { Probe, ProcessSpec } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir, fingerprintOf, portOf, tmpDir, type Component, type ProcessPart } from '../component.js';
import { JAVA_ENV } from '../java.js';
import { quantity } from '../size.js';
import { installedPolaris, polarisLacking } from './distribution.js';
import { serverEnv } from './settings.js';

const name = 'polaris';

/** The distribution; it was found, or downloaded, when the catalog was settled. */
export function polarisHome(context: StackContext): string {
  const { version } = context.config.components.polaris;
  const found = installedPolaris(context);
  if (found === undefined) throw polarisLacking(context, `Polaris ${version} is not on this machine`);
  return found.home;
}

/** JAVA_HOME for Polaris' scripts. Throws MISSING_TOOLS where there is no Java 21 or newer. */
export async function polarisJava(): Promise<string> {
  const need = { what: 'Polaris', minimum: 21 };
  const { javas } = await findToolchain({ java: [need] });
  return chooseJava(javas, need)!.home;
}

/** Asks the management port: true when Polaris and its database are ready. */
export function polarisProbe(context: StackContext): Probe {
  const port = portOf(context, 'catalog-management');
  return {
    description: `Polaris answers on 127.0.0.1:${portOf(context, 'catalog')}`,
    async check(signal) {
      try {
        const answer = await request(`http://127.0.0.1:${port}/q/health/ready`, { signal, timeoutMs: 2_000 });
        return answer.ok;
      } catch (error) {
        if (error instanceof ForgeError && error.code === 'UNREACHABLE') return false;
        throw error;
      }
    },
  };
}

const asProcess: ProcessPart = {
  names: [name],
  async specs(context): Promise<ProcessSpec[]> {
    const command = join(polarisHome(context), 'bin', 'server');
    const javaOptions = [
      `-Xmx${context.config.components.polaris.heap}`,
      '-Xss512k',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-XX:-UsePerfData',
      '-XX:+ExitOnOutOfMemoryError',
    ];
    const env = { ...JAVA_ENV, TMPDIR: tmpDir(context, name), ...serverEnv(context, await polarisJava(), javaOptions) };
    return [
      {
        component: name,
        name,
        command,
        args: [],
        env,
        cwd: dataDir(context, name),
        ports: ['catalog', 'catalog-management'],
        ready: polarisProbe(context),
        readySeconds: 120,
        stop: { signal: 'SIGTERM', seconds: 20 },
        fingerprint: fingerprintOf({ command, args: [], env }),
      },
    ];
  },
  async prepare(context) {
    await mkdir(tmpDir(context, name), { recursive: true, mode: 0o700 });
  },
  dataDirs: (context) => [dataDir(context, name)],
};

/** Apache Polaris from its binary distribution, with its state in PostgreSQL. */
export const polaris: Component = {
  name,
  endpoint: 'catalog',
  probe: polarisProbe,
  process: asProcess,
  kubernetes: {
    namespace: 'polaris',
    workloads: [{ kind: 'Deployment', name: 'polaris' }],
    images: ['polaris', 'polaris-admin'],
    values: ({ config }) => ({
      request: quantity(config.components.polaris.heap, 128),
      limit: quantity(config.components.polaris.heap, 512),
    }),
  },
};
