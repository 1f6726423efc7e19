import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessSpec } from '../../runtimes/types.js';
import { logFile } from '../../runtimes/process/logs.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir, fingerprintOf, portOf, renderFile, tmpDir, writeWhole, type Component, type ProcessPart } from '../component.js';
import { JAVA_ENV, javaArgs } from '../java.js';
import { quantity } from '../size.js';
import { kafkaProbe } from './probe.js';

const name = 'kafka';
const logDir = (context: StackContext): string => join(dataDir(context, name), 'log');
const configFile = (context: StackContext, file: string): string => join(context.workspace.generated, name, file);

const render = async (context: StackContext): Promise<Record<string, string>> => ({
  'server.properties': await renderFile(context, 'kafka/server.properties', {
    port: portOf(context, 'kafka'),
    controllerPort: portOf(context, 'kafka-controller'),
    dataDir: logDir(context),
  }),
  'log4j2.properties': await renderFile(context, 'kafka/log4j2.properties', { logFile: logFile(context.workspace, name) }),
});

/** 16 random bytes as Kafka writes them; a leading hyphen would look like a flag to its tools. */
function randomUuid(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/**
 * What `kafka-storage format` does, without a JVM that takes a second: the features of this version of Kafka (the same
 * bytes for every cluster), and last, whole or not at all, the identity of the cluster.
 */
async function format(context: StackContext): Promise<void> {
  const identity = join(logDir(context), 'meta.properties');
  if (existsSync(identity)) return;
  const bootstrap = await readFile(join(context.packageRoot, 'templates/kafka/bootstrap.checkpoint.base64'), 'utf8');
  await writeWhole(join(logDir(context), 'bootstrap.checkpoint'), Buffer.from(bootstrap, 'base64'));
  await writeWhole(identity, `version=1\nnode.id=1\ncluster.id=${randomUuid()}\ndirectory.id=${randomUuid()}\n`);
}

const asProcess: ProcessPart = {
  names: [name],
  async specs(context, packages): Promise<ProcessSpec[]> {
    const files = await render(context);
    const command = packages.java('kafka');
    const args = [
      ...javaArgs({
        heap: context.config.components.kafka.heap,
        tmp: tmpDir(context, name),
        metaspace: 128,
        classPath: [join(packages.dir('kafka'), '*')],
        more: ['-XX:MaxDirectMemorySize=64m', `-Dlog4j2.configurationFile=${configFile(context, 'log4j2.properties')}`],
      }),
      'kafka.Kafka',
      configFile(context, 'server.properties'),
    ];
    const env = JAVA_ENV;
    return [
      {
        component: name,
        name,
        command,
        args,
        env,
        cwd: dataDir(context, name),
        ports: ['kafka', 'kafka-controller'],
        ready: kafkaProbe(context),
        readySeconds: 60,
        stop: { signal: 'SIGTERM', seconds: 20 },
        fingerprint: fingerprintOf({ command, args, env }, Object.values(files)),
      },
    ];
  },
  async prepare(context) {
    await mkdir(tmpDir(context, name), { recursive: true, mode: 0o700 });
    for (const [file, text] of Object.entries(await render(context))) await writeWhole(configFile(context, file), text);
    await format(context);
  },
  dataDirs: (context) => [dataDir(context, name)],
};

/** The identity of the cluster in its pod: the same each time, also when the credentials are made anew and the data is not. */
function clusterId({ workspace, stack }: StackContext): string {
  for (let salt = 0; ; salt++) {
    const hash = createHash('sha256').update(`${workspace.id} ${stack} ${salt}`).digest();
    const id = hash.subarray(0, 16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Apache Kafka: one node, broker and controller in one process. */
export const kafka: Component = {
  name,
  endpoint: 'kafka',
  probe: kafkaProbe,
  process: asProcess,
  kubernetes: {
    namespace: 'kafka',
    workloads: [{ kind: 'StatefulSet', name: 'kafka' }],
    images: ['kafka'],
    values: (context) => ({
      clusterId: clusterId(context),
      request: quantity(context.config.components.kafka.heap, 160),
      limit: quantity(context.config.components.kafka.heap, 384),
    }),
  },
};
