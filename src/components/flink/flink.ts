import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launchProcess } from '../../runtimes/process/spawn.js';
import type { Probe, ProcessSpec } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import type { Secret } from '../../workspace/secret.js';
import { dataDir, fingerprintOf, tmpDir, writeWhole, type Component, type ProcessPart, type ServerPackages } from '../component.js';
import { JAVA_ENV, javaArgs } from '../java.js';
import { confDir, configFiles, FLINK_PROCESSES, GATEWAY, logConfig, TASKMANAGER } from './config.js';
import { flinkValues } from './pods.js';
import { gatewayProbe, jobmanagerProbe, taskmanagerProbe } from './probe.js';

const name = 'flink';

/** What Flink reaches into, as in its own env.java.opts.all. */
const MODULE_FLAGS = [
  ...['java.rmi/sun.rmi.registry', 'java.security.jgss/sun.security.krb5'].map((target) => `--add-exports=${target}=ALL-UNNAMED`),
  ...['api', 'file', 'parser', 'tree', 'util'].map((part) => `--add-exports=jdk.compiler/com.sun.tools.javac.${part}=ALL-UNNAMED`),
  ...['java.lang', 'java.net', 'java.io', 'java.nio', 'sun.nio.ch', 'java.lang.reflect', 'java.text', 'java.time', 'java.util']
    .concat(['java.util.concurrent', 'java.util.concurrent.atomic', 'java.util.concurrent.locks'])
    .map((target) => `--add-opens=java.base/${target}=ALL-UNNAMED`),
];

/**
 * The TaskManager's own memory model, which its start script would work out: everything that is not heap is kept small,
 * as state lives on the heap and one job has few exchanges. Windows need managed memory and take of it what they use.
 */
const memoryModel = (heap: string): string[] => [
  ...['-D', 'taskmanager.cpu.cores=4.0', '-D', 'taskmanager.memory.framework.heap.size=64m'],
  ...['-D', `taskmanager.memory.task.heap.size=${heap}`],
  ...['-D', 'taskmanager.memory.framework.off-heap.size=64m', '-D', 'taskmanager.memory.task.off-heap.size=0b'],
  ...['-D', 'taskmanager.memory.network.min=32m', '-D', 'taskmanager.memory.network.max=32m'],
  ...['-D', 'taskmanager.memory.managed.size=64m', '-D', 'taskmanager.memory.jvm-metaspace.size=192m'],
  ...['-D', 'taskmanager.memory.jvm-overhead.min=64m', '-D', 'taskmanager.memory.jvm-overhead.max=64m'],
];

interface Role {
  process: string;
  heap: string;
  metaspace: number;
  main: string;
  mainArgs: string[];
  ports: string[];
  ready: Probe;
}

function classPath(packages: ServerPackages): string[] {
  const lib = join(packages.dir('flink'), 'lib');
  const jars = readdirSync(lib).filter((file) => file.endsWith('.jar'));
  // flink-dist comes last, as in Flink's own scripts.
  const ordered = [...jars.filter((jar) => !jar.startsWith('flink-dist')), ...jars.filter((jar) => jar.startsWith('flink-dist'))];
  return [join(packages.dir('flink-connectors'), '*'), ...ordered.map((jar) => join(lib, jar))];
}

async function specOf(context: StackContext, packages: ServerPackages, role: Role): Promise<ProcessSpec> {
  const files = await configFiles(context);
  const aws = context.credentials.get('aws');
  const conf = confDir(context);
  const command = packages.java('flink');
  const log = logConfig(role.process);
  const args = [
    ...javaArgs({
      heap: role.heap,
      tmp: tmpDir(context, name),
      metaspace: role.metaspace,
      classPath: classPath(packages),
      more: ['-XX:MaxDirectMemorySize=128m', ...MODULE_FLAGS, `-Dlog4j.configurationFile=${join(conf, log)}`],
    }),
    role.main,
    ...role.mainArgs,
  ];
  const secrets = { AWS_ACCESS_KEY_ID: aws.accessKeyId, AWS_SECRET_ACCESS_KEY: aws.secretAccessKey };
  const env: Record<string, string | Secret> = {
    ...JAVA_ENV,
    FLINK_CONF_DIR: conf,
    FLINK_LIB_DIR: join(packages.dir('flink'), 'lib'),
    FLINK_PLUGINS_DIR: join(packages.dir('flink'), 'plugins'),
    AWS_REGION: context.config.lake.region,
    ...Object.fromEntries(Object.entries(secrets).filter((entry): entry is [string, Secret] => entry[1] !== undefined)),
  };
  return {
    component: name,
    name: role.process,
    command,
    args,
    env,
    cwd: dataDir(context, name),
    ports: role.ports,
    ready: role.ready,
    readySeconds: 90,
    stop: { signal: 'SIGTERM', seconds: 15 },
    fingerprint: fingerprintOf({ command, args, env }, [files['config.yaml'] ?? '', files[log] ?? '']),
  };
}

const configArgs = (context: StackContext): string[] => ['--configDir', confDir(context)];

async function prepare(context: StackContext): Promise<void> {
  for (const folder of ['checkpoints', 'savepoints', 'tmp'])
    await mkdir(join(dataDir(context, name), folder), { recursive: true, mode: 0o700 });
  for (const [file, text] of Object.entries(await configFiles(context))) await writeWhole(join(confDir(context), file), text);
}

const asProcess: ProcessPart = {
  names: FLINK_PROCESSES,
  async specs(context, packages) {
    const { jobmanagerHeap, taskmanagerHeap } = context.config.components.flink;
    return [
      await specOf(context, packages, {
        process: 'flink-jobmanager',
        heap: jobmanagerHeap,
        metaspace: 192,
        main: 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint',
        mainArgs: [...configArgs(context), '--executionMode', 'cluster'],
        ports: ['flink', 'flink-rpc', 'flink-blob'],
        ready: jobmanagerProbe(context),
      }),
      await specOf(context, packages, {
        process: TASKMANAGER,
        heap: taskmanagerHeap,
        metaspace: 192,
        main: 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner',
        mainArgs: [...configArgs(context), ...memoryModel(taskmanagerHeap)],
        ports: ['flink-taskmanager-rpc', 'flink-taskmanager-data'],
        ready: taskmanagerProbe(context),
      }),
    ];
  },
  prepare,
  // A JobManager that starts anew has no job: SQL will be submitted, and the gateway takes as long to start as all the rest.
  async beside(context, packages, process, signal) {
    if (process !== 'flink-jobmanager') return;
    const { workspace, ports } = context;
    await launchProcess(await sqlGatewaySpec(context, packages), { workspace, ports, signal });
  },
  dataDirs: (context) => [dataDir(context, name)],
};

/** Apache Flink: a JobManager and one TaskManager, with the connectors on their class path. */
export const flink: Component = {
  name,
  endpoint: name,
  probe: taskmanagerProbe,
  process: asProcess,
  kubernetes: {
    namespace: 'flink',
    workloads: [
      { kind: 'Deployment', name: 'flink-jobmanager' },
      { kind: 'Deployment', name: 'flink-taskmanager' },
      { kind: 'Deployment', name: 'flink-sql-gateway' },
    ],
    images: ['flink'],
    values: flinkValues,
  },
};

/** The SQL gateway, which the engine starts while it submits SQL and stops afterwards. */
export async function sqlGatewaySpec(context: StackContext, packages: ServerPackages): Promise<ProcessSpec> {
  await prepare(context);
  return specOf(context, packages, {
    process: GATEWAY,
    heap: context.config.components.flink.gatewayHeap,
    metaspace: 256,
    main: 'org.apache.flink.table.gateway.SqlGateway',
    mainArgs: [],
    ports: ['flink-sql-gateway'],
    ready: gatewayProbe(context),
  });
}
