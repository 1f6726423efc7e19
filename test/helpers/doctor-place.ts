import { createServer, type Server } from 'node:http';
import type { StackPlace, TaskFacts } from '../../src/doctor/check.js';
import { configSchema } from '../../src/config/schema.js';
import { packageRoot } from '../../src/cli/paths.js';
import type { StackContext } from '../../src/workspace/context.js';
import { openCredentials } from '../../src/workspace/credentials.js';
import { workspaceAt } from '../../src/workspace/workspace.js';
import { listen } from './fake-polaris/server.js';
import { scratch } from './folders.js';

const COLUMNS = ['player', 'total_score', 'bonus_hits', 'event_ts'];

export interface PlaceParts {
  stack?: Partial<StackContext>;
  tasks?: Partial<TaskFacts>[];
  /** What checks have looked at already, by the key under which they share it. */
  shared?: Record<string, unknown>;
}

/** What checks of a stack get to see: servers that serve, and of them what a test says. */
export function placeOf({ stack = {}, tasks = [], shared = {} }: PlaceParts): StackPlace {
  const workspace = workspaceAt(scratch());
  const context: StackContext = {
    stack: 'balloon-popper',
    runtime: 'process',
    engine: 'flink',
    catalog: 'iceberg-rest',
    workspace,
    config: configSchema.parse({}),
    endpoints: {},
    ports: {},
    images: {},
    credentials: openCredentials(workspace),
    cacheDir: workspace.root,
    packageRoot: packageRoot(),
    ...stack,
  };
  const memory = new Map<string, Promise<unknown>>();
  for (const [key, value] of Object.entries({ 'unwell servers': [], ...shared })) memory.set(key, Promise.resolve(value));
  const { signal } = new AbortController();
  const share: StackPlace['share'] = <T>(key: string, make: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const known = memory.get(key) as Promise<T> | undefined;
    const made = known ?? make(signal);
    memory.set(key, made);
    return made;
  };
  const facts = tasks.map((task) => ({ id: 'task', module: 'none', state: 'ok' as const, message: '', diff: [], ...task }));
  const running =
    context.engine === 'flink' ? ({ engine: 'flink', job: 'balloon-popper' } as const) : ({ engine: 'risingwave', objects: [] } as const);
  return {
    workspace: context.workspace,
    cacheDir: context.cacheDir,
    packageRoot: context.packageRoot,
    signal,
    share,
    stack: context,
    isKnown: true,
    pipeline: {
      topic: 'balloon-game',
      running: running.engine === 'flink' ? running : { engine: 'risingwave', objects: [] },
      views: [{ name: 'mv_leaderboard', database: 'views', columns: COLUMNS }],
      tables: [{ name: 'leaderboard', namespace: 'balloon_pops', columns: COLUMNS }],
    },
    require: () => Promise.resolve(),
    states: () => Promise.resolve([]),
    tasks: () => Promise.resolve(facts),
  };
}

/** A server that answers GET with these documents, by path and query; what it has not is 404. A function is asked each time. */
export async function startAnswers(documents: Record<string, unknown>): Promise<{ port: number; stop: () => Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const found = documents[decodeURIComponent(request.url ?? '')];
    const body: unknown = typeof found === 'function' ? (found as () => unknown)() : found;
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}));
  });
  return {
    port: await listen(server),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
