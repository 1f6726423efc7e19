/**
 * Time of a cold `forge up` (packages installed, nothing in the workspace) against the same servers started by hand: same
 * programs, settings and order, without forge's task graph. By hand, too, what waits for nothing starts at once, and the
 * longest chain decides: Flink, SQL gateway and statements until the job runs, with PostgreSQL, catalog and tables beside it.
 * `npm run bench:cold-up [rounds]`; the two take turns, so that other load hits both alike. Exit code 1 above the limit.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { flinkClient, runSql } from '../src/clients/flink.js';
import { processPartOf } from '../src/components/index.js';
import { sqlGatewaySpec } from '../src/components/flink/flink.js';
import { installedPackages } from '../src/components/packages.js';
import { splitStatements } from '../src/engines/flink/statements.js';
import { holds } from '../src/playbook/task.js';
import { loadDefinition, renderArgs } from '../src/lifecycle/graph.js';
import { openSession } from '../src/lifecycle/session.js';
import { modules } from '../src/modules/index.js';
import { markEnv } from '../src/runtimes/process/identify.js';
import { runFolder } from '../src/runtimes/process/state.js';
import type { ProcessSpec } from '../src/runtimes/types.js';
import { packageRoot } from '../src/cli/paths.js';
import { Secret } from '../src/workspace/secret.js';

const LIMIT = 1.15;
const rounds = Number(process.argv[2] ?? 2);
const forge = path.join(packageRoot(), 'bin', 'run.js');
// As the commands find it on Linux.
const cacheDir = process.env['FORGE_CACHE_DIR'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'forge');
const workspace = mkdtempSync(path.join(tmpdir(), 'forge-bench-'));
const { signal } = new AbortController();

function run(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [forge, ...args], { cwd: workspace, encoding: 'utf8' });
  if (status !== 0) throw new Error(`forge ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Starts everything in the order in which it can be; credentials, ports and scripts are those of the `up` before. */
async function byHand(): Promise<void> {
  const { stack } = await openSession({ folder: workspace, cacheDir, packageRoot: packageRoot() });
  const packages = await installedPackages(stack);
  const { tasks } = await loadDefinition(packageRoot(), stack.stack);
  const context = { stack, signal, progress: () => undefined, waitingFor: () => undefined };

  const launch = async (spec: ProcessSpec): Promise<void> => {
    const env = Object.fromEntries(
      Object.entries(spec.env).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]),
    );
    const log = openSync(path.join(stack.workspace.logs, `${spec.name}.log`), 'a');
    // Marked as forge marks them, so that `forge down` finds them.
    const mark = markEnv({ run: runFolder(stack.workspace), name: spec.name, component: spec.component, fingerprint: spec.fingerprint });
    const own = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', LANG: 'C.UTF-8', TZ: 'UTC' };
    spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...own, ...env, ...mark },
      detached: true,
      stdio: ['ignore', log, log],
      ...(process.getuid?.() === 0 ? spec.user : {}),
    }).unref();
    while (!(await spec.ready.check(AbortSignal.timeout(3000)).catch(() => false))) await delay(20);
  };
  const server = async (component: string, name = component): Promise<void> => {
    await processPartOf(component).prepare(stack, packages, name, signal);
    const spec = (await processPartOf(component).specs(stack, packages)).find((one) => one.name === name);
    if (spec === undefined) throw new Error(`no process ${name}`);
    await launch(spec);
  };
  /** What the playbooks declare with a module, made without looking first. */
  const make = async (module: string): Promise<void> => {
    const kind = modules.get(module)!;
    const chosen = tasks.filter((task) => task.module === module && holds(task.when, stack));
    await Promise.all(chosen.map((task) => kind.apply(kind.schema.parse(renderArgs(task, stack)), { state: 'missing' }, context)));
  };

  const localstack = server('localstack').then(() => make('s3.bucket'));
  const kafka = server('kafka').then(() => make('kafka.topic'));
  const flink = Promise.all([server('flink', 'flink-jobmanager'), server('flink', 'flink-taskmanager')]);
  const gateway = sqlGatewaySpec(stack, packages).then(launch);
  const postgresql = server('postgresql')
    .then(() => make('postgresql.role'))
    .then(() => make('postgresql.database'));
  const views = postgresql.then(() => make('sql.view'));
  const tables = Promise.all([localstack, postgresql.then(() => server('iceberg-rest'))])
    .then(() => make('iceberg.namespace'))
    .then(() => make('iceberg.table'));
  await Promise.all([kafka, flink, gateway, views, tables]);
  const sql = readFileSync(path.join(stack.workspace.generated, 'pipeline.sql'), 'utf8');
  await runSql(`http://127.0.0.1:${stack.ports['flink-sql-gateway']}`, splitStatements(sql), { properties: {}, signal });
  while (!(await flinkClient(stack.endpoints['flink']!.url, signal).jobs()).some((job) => job.allTasksRunning)) await delay(20);
}

const clear = (...folders: string[]): void => {
  for (const folder of folders) rmSync(path.join(workspace, '.forge', folder), { recursive: true, force: true });
};

try {
  const [hand, up]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    up.push(await timed(() => run('up', '--runtime', 'process', '--catalog', 'iceberg-rest', '--json')));
    run('down', '--keep-data', '--yes');
    // PostgreSQL's data may be outside (root): `down` knows where, and the credentials go with it.
    const { stack } = await openSession({ folder: workspace, cacheDir, packageRoot: packageRoot() });
    for (const folder of ['postgresql'].flatMap((name) => processPartOf(name).dataDirs(stack)))
      rmSync(folder, { recursive: true, force: true });
    clear('data', 'run');
    for (const folder of ['data', 'run']) mkdirSync(path.join(workspace, '.forge', folder), { mode: 0o700 });
    hand.push(await timed(byHand));
    run('down', '--yes');
    console.log(`round ${round + 1}: by hand ${hand.at(-1)!.toFixed(1)} s, forge up ${up.at(-1)!.toFixed(1)} s`);
  }
  const ratio = Math.min(...up) / Math.min(...hand);
  console.log(
    `cold forge up takes ${ratio.toFixed(2)} times as long as the servers by hand (limit ${LIMIT}, best of ${rounds} rounds each)`,
  );
  if (!(ratio <= LIMIT)) process.exitCode = 1;
} finally {
  spawnSync(process.execPath, [forge, 'down', '--yes'], { cwd: workspace });
  rmSync(workspace, { recursive: true, force: true });
}
