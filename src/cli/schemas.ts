import { z } from 'zod';
import { GROUPS } from '../doctor/check.js';

/**
 * The shapes of what commands print with --json: a stable interface, documented in docs/json.md and shipped as
 * schemas/NAME.schema.json (written by the build). Commands import the types only; the build and the tests use the rest.
 */
const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

const errorBody = z
  .object({
    code: z.string().describe('Stable name of the error, upper case with underscores'),
    message: z.string().describe('What happened, and where'),
    hint: z.string().nullable().describe('The next step'),
  })
  .describe('What went wrong');

const endpoint = z.object({ host: z.string(), port: z.int().min(1).max(65535), url: z.string() }).describe('Address on this machine');

const events = z.object({
  sent: count.describe('Events handed to Kafka'),
  acknowledged: count.describe('Events that Kafka has acknowledged'),
  totalScore: z.int().describe('Sum of the score of the acknowledged events'),
  byPlayer: z.record(z.string(), z.object({ events: count, score: z.int(), bonus: count.describe('Bonus pops') })),
  seconds,
  eventsPerSecond: z.number().nonnegative(),
});

const generateEvents = events.extend({ error: errorBody.optional().describe('When Kafka was lost on the way') });

const latency = z.object({ p50: z.number().nonnegative(), p99: z.number().nonnegative() });

const verify = z.object({
  healthy: z.boolean(),
  legs: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })).describe('The way of the data, leg by leg'),
  topic: z.object({ events: count.nullable().describe('null when the topic could not be read') }),
  views: z.record(z.string(), z.object({ rows: count.nullable() })),
  tables: z.record(
    z.string(),
    z.object({
      rows: count.nullable(),
      snapshots: count.nullable(),
      lastCommit: z.iso.datetime().nullable().describe('null when nothing was committed yet'),
    }),
  ),
  latency: z
    .object({ view: latency.describe('From the event to the view'), table: latency.describe('From the event to the table') })
    .optional()
    .describe('Milliseconds; with --probe'),
});

const up = z.object({
  stack: z.string(),
  runtime: z.string(),
  engine: z.string(),
  catalog: z.string(),
  ok: count,
  changed: count.describe('With --check: what would be changed'),
  skipped: count,
  failed: count,
  seconds,
  tasks: z.array(
    z.object({
      id: z.string(),
      module: z.string(),
      status: z.enum(['ok', 'changed', 'skipped', 'failed']),
      seconds,
      message: z.string().optional(),
      diff: z
        .array(z.object({ field: z.string(), is: z.string(), should: z.string() }))
        .optional()
        .describe('With --diff; secrets are masked'),
    }),
  ),
  endpoints: z.record(z.string(), endpoint),
  events: events.optional().describe('With --events'),
  leaderboard: z
    .array(z.object({ player: z.string(), score: z.int(), bonusPops: count }))
    .optional()
    .describe('With --events'),
  verify: verify.optional().describe('With --events'),
  error: errorBody.optional().describe('Of the task that failed first; the exit code is its own'),
});

const status = z.object({
  healthy: z.boolean(),
  components: z.array(
    z.object({
      name: z.string(),
      state: z
        .enum(['running', 'failing', 'degraded', 'dead', 'stopped'])
        .describe(
          'failing: its processes or pods are there and it does not answer; degraded: some of them are missing; dead: it ended by itself',
        ),
      endpoint: endpoint.nullable(),
      pids: z.array(z.int()).optional().describe('Runtime process'),
      pods: z.array(z.string()).optional().describe('Runtimes on Kubernetes'),
      residentBytes: count,
      reason: z.string().optional(),
    }),
  ),
});

const connect = z.object({
  context: z.string().describe('Context of the kubeconfig'),
  ports: z.array(
    z.object({
      name: z.string(),
      host: z.string(),
      port: z.int().min(1).max(65535).describe('On this machine'),
      namespace: z.string(),
      service: z.string(),
      servicePort: z.int().min(1).max(65535),
    }),
  ),
  changes: count.describe('How often a port led to other pods than before'),
  seconds,
});

const env = z
  .object({
    KAFKA_BOOTSTRAP_SERVERS: z.string(),
    ICEBERG_REST_URI: z.string(),
    ICEBERG_WAREHOUSE: z.string(),
    ICEBERG_CREDENTIAL: z.string().optional().describe('Where the catalog asks for one: CLIENT_ID:CLIENT_SECRET'),
    AWS_ENDPOINT_URL: z.string(),
    AWS_ACCESS_KEY_ID: z.string(),
    AWS_SECRET_ACCESS_KEY: z.string(),
    AWS_REGION: z.string(),
    PGHOST: z.string().describe('Where the views are: RisingWave, or PostgreSQL with the engine flink'),
    PGPORT: z.string(),
    PGUSER: z.string(),
    PGPASSWORD: z.string().describe('Empty with the engine risingwave, whose user has no password'),
    PGDATABASE: z.string(),
    FLINK_URL: z.string().optional().describe('With the engine flink'),
  })
  .catchall(z.string());

const images = {
  images: z.array(
    z.object({
      name: z
        .string()
        .describe(
          'As images in forge.yaml name it; k3d-tools is a helper of k3d itself, k3s-pause and k3s-coredns are what k3s pulls at its start',
        ),
      image: z.string().describe('Its reference'),
      here: z.boolean().describe("Whether this machine's Docker has it"),
      bytes: count.nullable().describe('null when it is not here'),
      inCluster: z.boolean().nullable().describe('Whether the node of the own k3d cluster has it; null when none runs'),
    }),
  ),
  complete: z.boolean().describe("Whether this machine's Docker has all of them"),
  bytes: count,
};
const imagesList = z.object(images);
const imagesPull = z.object({ ...images, pulled: z.array(z.string()).describe('References of what was not here before') });
const imagesSave = z.object({ file: z.string(), bytes: count, images: z.array(z.string()).describe('References') });
const imagesLoad = z.object({
  file: z.string(),
  loaded: z.array(z.string()).describe('What the file held'),
  ...images,
  error: errorBody.optional().describe('When images are still missing; exit code 5'),
});

const doctor = z.object({
  healthy: z.boolean().describe('Whether no finding of severity error is left'),
  findings: z
    .array(
      z.object({
        id: z.string().describe('Of the check; docs/troubleshooting.md has a section of that name'),
        group: z.enum(GROUPS),
        severity: z.enum(['error', 'warning']),
        component: z.string().optional().describe('The server that it is about'),
        title: z.string(),
        cause: z.string().describe('What was seen'),
        remedy: z.string().describe('What to do'),
        fixable: z.boolean().describe('Whether --fix mends it'),
        fixed: z.boolean().optional().describe('With --fix: it is gone'),
        page: z.string(),
      }),
    )
    .describe('In the order of what caused what: the first is the root'),
  passed: z.array(z.string()),
  couldNotRun: z.array(z.object({ id: z.string(), reason: z.string() })).describe('Checks that could tell nothing: they did not pass'),
  seconds,
  bundle: z.object({ file: z.string(), bytes: count }).optional().describe('With --bundle'),
  error: errorBody.optional().describe('With --fix: what went wrong while mending; the exit code is its own'),
});

const version = z.object({ name: z.string(), version: z.string(), node: z.string(), platform: z.string(), arch: z.string() });

const error = z.object({ error: errorBody });

export const schemas = {
  up: up.describe('forge up --json'),
  status: status.describe('forge status --json'),
  doctor: doctor.describe('forge doctor --json'),
  verify: verify.describe('forge verify --json'),
  'generate-events': generateEvents.describe('forge generate events --json'),
  connect: connect.describe('forge connect --json, when it ends'),
  env: env.describe('forge env --json'),
  'images-list': imagesList.describe('forge images list --json'),
  'images-pull': imagesPull.describe('forge images pull --json'),
  'images-save': imagesSave.describe('forge images save --json'),
  'images-load': imagesLoad.describe('forge images load --json'),
  version: version.describe('forge version --json'),
  error: error.describe('Any command with --json that failed'),
} as const;

export type UpResult = z.output<typeof up>;
export type StatusResult = z.output<typeof status>;
export type DoctorResult = z.output<typeof doctor>;
export type VerifyResult = z.output<typeof verify>;
export type GenerateEventsResult = z.output<typeof generateEvents>;
export type ConnectResult = z.output<typeof connect>;
export type EnvResult = z.output<typeof env>;
export type ImagesListResult = z.output<typeof imagesList>;
export type ImagesPullResult = z.output<typeof imagesPull>;
export type ImagesSaveResult = z.output<typeof imagesSave>;
export type ImagesLoadResult = z.output<typeof imagesLoad>;
export type VersionResult = z.output<typeof version>;
export type ErrorResult = z.output<typeof error>;
