import { z } from 'zod';

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

const generateEvents = z.object({
  sent: count.describe('Events handed to Kafka'),
  acknowledged: count.describe('Events that Kafka has acknowledged'),
  totalScore: z.int().describe('Sum of the score of the acknowledged events'),
  byPlayer: z.record(z.string(), z.object({ events: count, score: z.int(), bonus: count.describe('Bonus pops') })),
  seconds,
  eventsPerSecond: z.number().nonnegative(),
});

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
  events: generateEvents.optional().describe('With --events'),
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
          'failing: its processes run and it does not answer; degraded: some of its processes are missing; dead: it ended by itself',
        ),
      endpoint: endpoint.nullable(),
      pids: z.array(z.int()).optional().describe('Runtime process'),
      pods: z.array(z.string()).optional().describe('Runtimes on Kubernetes'),
      residentBytes: count,
      reason: z.string().optional(),
    }),
  ),
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
    PGHOST: z.string(),
    PGPORT: z.string(),
    PGUSER: z.string(),
    PGPASSWORD: z.string(),
    PGDATABASE: z.string(),
  })
  .catchall(z.string());

const version = z.object({ name: z.string(), version: z.string(), node: z.string(), platform: z.string(), arch: z.string() });

const error = z.object({ error: errorBody });

export const schemas = {
  up: up.describe('forge up --json'),
  status: status.describe('forge status --json'),
  verify: verify.describe('forge verify --json'),
  'generate-events': generateEvents.describe('forge generate events --json'),
  env: env.describe('forge env --json'),
  version: version.describe('forge version --json'),
  error: error.describe('Any command with --json that failed'),
} as const;

export type UpResult = z.output<typeof up>;
export type StatusResult = z.output<typeof status>;
export type VerifyResult = z.output<typeof verify>;
export type GenerateEventsResult = z.output<typeof generateEvents>;
export type EnvResult = z.output<typeof env>;
export type VersionResult = z.output<typeof version>;
export type ErrorResult = z.output<typeof error>;
