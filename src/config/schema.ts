import { z } from 'zod';

// Almost every schema sees one value in the life of a command: to compile it first takes longer than to check it.
z.config({ jitless: true });

const PORT = 'expected a port from 1 to 65535';
const port = z.int(PORT).min(1, PORT).max(65535, PORT);
const size = z.string().regex(/^[1-9][0-9]*[kmgKMG]$/, 'expected a size such as 256m or 1g');
const duration = z.string().regex(/^[0-9]+(\.[0-9]+)?(ms|s|m|h)$/, 'expected a duration such as 500ms, 30s or 5m');

/** Default host ports; those of the public servers are the Balloon Popper demo's. */
export const DEFAULT_PORTS = {
  kafka: 19094,
  'kafka-controller': 19093,
  localstack: 4566,
  postgresql: 15432,
  catalog: 18181,
  'catalog-management': 18182,
  flink: 18081,
  'flink-rpc': 16123,
  'flink-blob': 16124,
  'flink-taskmanager-rpc': 16122,
  'flink-taskmanager-data': 16121,
  'flink-sql-gateway': 18083,
  risingwave: 14567,
  'k3d-api': 16550,
} as const;
export type PortName = keyof typeof DEFAULT_PORTS;
export const PORT_NAMES = Object.keys(DEFAULT_PORTS) as PortName[];

const ports = z
  .strictObject(
    Object.fromEntries(PORT_NAMES.map((name) => [name, port.optional().meta({ examples: [DEFAULT_PORTS[name]] })])) as Record<
      PortName,
      z.ZodOptional<typeof port>
    >,
  )
  .describe('Ports on this machine. One that is set here is an order; one that is not moves to the next free port when it is taken.');

const heap = (value: string, what: string) => size.default(value).describe(`Java heap of ${what}`);

const components = z
  .strictObject({
    kafka: z.strictObject({ heap: heap('192m', 'the broker') }).prefault({}),
    localstack: z
      .strictObject({ memory: size.default('2g').describe('Memory that LocalStack may take in its pod: it holds every object there') })
      .prefault({}),
    postgresql: z.strictObject({ sharedBuffers: size.default('32m').describe('Memory for pages that all connections share') }).prefault({}),
    'iceberg-rest': z.strictObject({ heap: heap('128m', 'the Iceberg REST catalog') }).prefault({}),
    polaris: z
      .strictObject({
        heap: heap('384m', 'Polaris'),
        version: z.string().default('1.7.0').describe('Version of the binary distribution to download'),
        home: z
          .string()
          .min(1)
          .optional()
          .meta({ description: 'Folder of an unpacked Polaris distribution (bin/server, bin/admin)', examples: ['/opt/polaris'] }),
        download: z.boolean().default(true).describe('Download the distribution where it is not found'),
      })
      .prefault({}),
    flink: z
      .strictObject({
        jobmanagerHeap: heap('160m', 'the JobManager'),
        taskmanagerHeap: heap('320m', 'the TaskManager'),
        gatewayHeap: heap('192m', 'the SQL gateway, which runs only while SQL is submitted'),
        checkpointInterval: duration.default('5s').describe('Time between checkpoints, and so between Iceberg commits'),
      })
      .prefault({}),
    risingwave: z
      .strictObject({
        memory: size.default('3g').describe('Memory of RisingWave in its pod'),
        heap: heap('256m', 'the Iceberg writer inside RisingWave'),
        commitInterval: z.int().min(1).max(3600).default(3).describe('Seconds between commits to the Iceberg tables'),
      })
      .prefault({}),
  })
  .describe('Settings of the servers');

/** The names in images.yaml. */
export const IMAGE_NAMES = [
  'k3s',
  'kafka',
  'localstack',
  'postgresql',
  'polaris',
  'polaris-admin',
  'iceberg-rest',
  'risingwave',
  'flink',
  'maven',
] as const;
export type ImageName = (typeof IMAGE_NAMES)[number];

const reference = z
  .string()
  .regex(/^[a-z0-9][\w.:/@-]*$/, 'expected an image reference such as registry.local/kafka:4.3.1')
  .optional();
const imageOf = (name: ImageName) => reference.meta({ description: `Image of ${name}`, examples: [`registry.local/${name}:1`] });
const images = z
  .strictObject({
    mirror: z
      .string()
      .regex(/^[a-z0-9][\w.:/-]*$/, 'expected a prefix such as registry.local:5000/mirror')
      .optional()
      .meta({ description: 'Put before every image that is not named here', examples: ['registry.local:5000/mirror'] }),
    ...(Object.fromEntries(IMAGE_NAMES.map((name) => [name, imageOf(name)])) as Record<ImageName, typeof reference>),
  })
  .describe('Container images to use in place of those that forge pins');

const k3d = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/, 'expected at most 32 lower-case letters, digits and hyphens')
      .optional()
      .meta({ description: "Name of forge's own cluster; one of the stack and the workspace when left out", examples: ['balloon-popper'] }),
  })
  .describe('The k3d cluster');

const kubernetes = z
  .strictObject({
    context: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Context of the kubeconfig that names the cluster; forge uses no other', examples: ['kind-kind'] }),
    access: z
      .enum(['forward', 'direct'])
      .default('forward')
      .describe(
        'How this machine reaches the pods: forward opens port-forwards while a command runs, direct means that the ports are already led there',
      ),
  })
  .describe('An existing Kubernetes cluster (runtime: kubernetes)');

export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe('The JSON schema of this file, for editors'),
    stack: z.string().default('balloon-popper').describe('What `forge up` brings up'),
    runtime: z
      .enum(['auto', 'k3d', 'kubernetes', 'process'])
      .default('auto')
      .describe(
        "Where the servers run: k3d is a cluster of forge's own in Docker, kubernetes an existing cluster, process plain processes on this machine; auto takes k3d where Docker and k3d are there, else process",
      ),
    engine: z
      .enum(['auto', 'risingwave', 'flink'])
      .default('auto')
      .describe('What runs the stream SQL; auto takes risingwave on Kubernetes and flink on processes'),
    catalog: z
      .enum(['auto', 'polaris', 'iceberg-rest'])
      .default('auto')
      .describe('Iceberg catalog; auto takes Polaris on Kubernetes and where its distribution can be had, else the Iceberg REST catalog'),
    ports: ports.prefault({}),
    components: components.prefault({}),
    images: images.prefault({}),
    k3d: k3d.prefault({}),
    kubernetes: kubernetes.prefault({}),
    topic: z
      .strictObject({
        name: z
          .string()
          .regex(/^[A-Za-z0-9._-]{1,249}$/)
          .default('balloon-game')
          .describe('Topic that the events go to'),
        partitions: z.int().min(1).max(1000).default(1).describe('Partitions of the topic; they can grow, not shrink'),
      })
      .prefault({})
      .describe('The Kafka topic of the events'),
    lake: z
      .strictObject({
        bucket: z
          .string()
          .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
          .default('balloon-game')
          .describe('S3 bucket that holds the tables'),
        catalog: z.string().min(1).default('balloon-game').describe('Name of the catalog (Polaris)'),
        namespace: z
          .string()
          .regex(/^[a-z_][a-z0-9_]*$/)
          .default('balloon_pops')
          .describe('Iceberg namespace of the tables'),
        region: z.string().min(1).default('us-east-1').describe('AWS region that the object store claims to be'),
      })
      .prefault({})
      .describe('Where the Iceberg tables are'),
    views: z
      .strictObject({
        database: z
          .string()
          .regex(/^[a-z_][a-z0-9_]*$/)
          .default('balloon_popper')
          .describe('PostgreSQL database that holds the views'),
      })
      .prefault({})
      .describe('Where the views are'),
  })
  .describe('Configuration of forge; every key has a default');

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
