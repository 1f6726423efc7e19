import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Probe, ProcessSpec } from '../../runtimes/types.js';
import { request } from '../../clients/http.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir, fingerprintOf, portOf, tmpDir, writeWhole, type Component, type ProcessPart } from '../component.js';
import { mebibytes, quantity } from '../size.js';

const name = 'localstack';
const host = (context: StackContext): string => `127.0.0.1:${portOf(context, name)}`;

/** Its own health page; a stranger's server on the port has none. */
function probe(context: StackContext): Probe {
  return {
    description: `LocalStack answers on ${host(context)}`,
    async check(signal) {
      const answer = await request(`http://${host(context)}/_localstack/health`, { signal, timeoutMs: 2500 });
      return answer.ok && typeof answer.json<{ services?: { s3?: string } }>().services?.s3 === 'string';
    },
  };
}

// In the workspace: forge's own folder may be another one the next time, and that is no reason to start it anew.
const startFile = (context: StackContext): string => join(context.workspace.generated, name, 'start.py');
const startScript = (context: StackContext): Promise<string> => readFile(join(context.packageRoot, 'templates', name, 'start.py'), 'utf8');

const asProcess: ProcessPart = {
  names: [name],
  async specs(context, packages): Promise<ProcessSpec[]> {
    const folder = dataDir(context, name);
    const command = join(packages.dir('localstack'), 'bin', 'python');
    const args = [startFile(context)];
    const env = {
      // Services are loaded when they are used first; IAM, which Polaris needs and nobody else, takes a third of the memory.
      SERVICES: 's3,sts,iam',
      STRICT_SERVICE_LOADING: '1',
      GATEWAY_LISTEN: host(context),
      LOCALSTACK_HOST: host(context),
      DISABLE_EVENTS: '1',
      DNS_ADDRESS: '0',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      LS_LOG: 'warning',
      // Else it takes some machines for its own container, and writes to /var/lib and /etc.
      OVERRIDE_IN_DOCKER: '0',
      FILESYSTEM_ROOT: join(folder, 'root'),
      LOCALSTACK_VOLUME_DIR: join(folder, 'volume'),
      DEFAULT_REGION: context.config.lake.region,
      AWS_DEFAULT_REGION: context.config.lake.region,
      // Not TMPDIR, which it complains of.
      FORGE_TMP: tmpDir(context, name),
      HOME: folder,
      MALLOC_ARENA_MAX: '2',
      PYTHONUNBUFFERED: '1',
    };
    const spec: Omit<ProcessSpec, 'fingerprint'> = {
      component: name,
      name,
      command,
      args,
      env,
      cwd: folder,
      ports: [name],
      ready: probe(context),
      readySeconds: 90,
      stop: { signal: 'SIGTERM', seconds: 10 },
    };
    return [{ ...spec, fingerprint: fingerprintOf(spec, [await startScript(context)]) }];
  },
  async prepare(context) {
    await mkdir(tmpDir(context, name), { recursive: true, mode: 0o700 });
    await writeWhole(startFile(context), await startScript(context));
  },
  dataDirs: (context) => [dataDir(context, name)],
};

/** LocalStack: S3 and STS. Its community edition forgets everything when it ends. */
export const localstack: Component = {
  name,
  endpoint: name,
  probe,
  process: asProcess,
  kubernetes: {
    namespace: 'localstack',
    workloads: [{ kind: 'Deployment', name: 'localstack' }],
    images: ['localstack'],
    values({ config }) {
      const { memory } = config.components.localstack;
      // It asks for little at first, and for more with every table file.
      return { request: `${Math.min(256, mebibytes(memory))}Mi`, limit: quantity(memory, 0) };
    },
  },
};
