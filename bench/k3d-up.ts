/**
 * Time of `forge up` on k3d, from nothing, against the same by hand: `k3d cluster create` with the same configuration,
 * `k3d image import` of the same images, `kubectl apply` of the same manifests, `kubectl wait` for the same workloads. Then the
 * time of `up` when nothing is to be done, and the memory of the cluster. Needs Docker, k3d and kubectl.
 * `npm run bench:k3d-up [rounds]`; the two take turns, so that other load hits both alike. Exit code 1 above a limit.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { packageRoot } from '../src/cli/paths.js';
import { componentsOf } from '../src/components/index.js';
import { loadDefinition, renderArgs } from '../src/lifecycle/graph.js';
import { imagesHere } from '../src/runtimes/k3d/choice.js';
import { openSession } from '../src/lifecycle/session.js';
import { holds } from '../src/playbook/task.js';
import { makeFolders, missingFolders } from '../src/runtimes/k3d/ready.js';
import { awaitQuiet } from './running-stack.js';

const LIMIT = 1.05;
const NOOP_LIMIT_SECONDS = 3;
const NOOPS = 5;
const rounds = Number(process.argv[2] ?? 2);
const forge = path.join(packageRoot(), 'bin', 'run.js');
const folder = mkdtempSync(path.join(tmpdir(), 'forge-bench-'));
const workspace = path.join(folder, 'workspace');
const kept = path.join(folder, 'generated');
const name = `forge-bench-${process.pid}`;
const hand = `${name}-hand`;
const UP = ['up', '--runtime', 'k3d', '--engine', 'flink', '--catalog', 'iceberg-rest'];

function run(program: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: workspace, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}\n${error?.message ?? ''}`);
  return stdout;
}

/** Runs a program beside others; gives the seconds that it took, and calls back with each line that it writes. */
function start(program: string, args: string[], onLine: (line: string) => void = () => undefined): Promise<number> {
  const began = performance.now();
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: workspace, stdio: ['ignore', 'pipe', 'pipe'] });
    let [rest, said] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(onLine);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', fail).once('close', (code) => {
      if (code === 0) done((performance.now() - began) / 1000);
      else fail(new Error(`${program} ${args.join(' ')} ended with ${code}\n${said}`));
    });
  });
}

/** Seconds until the last pod was ready, and until the end: topic, tables, views and job come on top. */
async function up(): Promise<{ ready: number; whole: number }> {
  const began = performance.now();
  let ready = NaN;
  const whole = await start(process.execPath, [forge, ...UP, '--output', 'ndjson'], (line) => {
    const { module, seconds } = JSON.parse(line) as { module?: string; seconds?: number };
    if (module === 'k8s.ready' && seconds !== undefined) ready = (performance.now() - began) / 1000;
  });
  return { ready, whole };
}

/** What forge has just made, made by the programs themselves, with the files that it generated. */
async function byHand({ images, workloads }: Made): Promise<number> {
  const kubeconfig = path.join(folder, 'kubeconfig');
  const kubectl = (...args: string[]): Promise<number> => start('kubectl', ['--kubeconfig', kubeconfig, ...args]);
  const began = performance.now();
  await start('k3d', ['cluster', 'create', '--config', path.join(kept, 'by-hand.yaml')]);
  // The folders of the servers, in the node's volume.
  const signal = AbortSignal.timeout(60_000);
  await makeFolders(hand, await missingFolders(hand, signal), signal);
  writeFileSync(kubeconfig, run('k3d', ['kubeconfig', 'get', hand]), { mode: 0o600 });
  await start('k3d', ['image', 'import', '-c', hand, ...images]);
  await kubectl('apply', '-R', '-f', path.join(kept, 'manifests'));
  await Promise.all(
    workloads.map(({ kind, name, namespace }) =>
      kubectl('-n', namespace, 'rollout', 'status', `${kind.toLowerCase()}/${name}`, '--timeout=300s'),
    ),
  );
  return (performance.now() - began) / 1000;
}

interface K3dConfig {
  network: string;
  volumes: { volume: string }[];
}

/** Images and workloads of the stack, and its generated files, which `down` removes. */
async function made() {
  const cacheDir = path.join(folder, 'cache');
  const { stack } = await openSession({ folder: workspace, cacheDir, packageRoot: packageRoot() });
  const { tasks } = await loadDefinition(packageRoot(), stack.stack);
  const imported = tasks.filter((task) => task.module === 'k3d.image' && holds(task.when, stack));
  const names = imported.map((task) => (renderArgs(task, stack) as { image: string }).image);
  const used = await imagesHere(stack, names, AbortSignal.timeout(30_000));
  const images = names.map((name) => used[name]!);
  const workloads = componentsOf(stack).flatMap(({ kubernetes: { namespace, workloads } }) =>
    workloads.map((one) => ({ ...one, namespace })),
  );
  cpSync(stack.workspace.generated, kept, { recursive: true });
  // Another name, and k3d's own network; the volume for data is made when the node starts.
  const { network: _, ...config } = parse(readFileSync(path.join(kept, 'k3d.yaml'), 'utf8')) as K3dConfig;
  writeFileSync(path.join(kept, 'by-hand.yaml'), stringify({ ...config, metadata: { name: hand } }));
  const volumes = config.volumes.map(({ volume }) => volume.split(':')[0]!).filter((source) => !path.isAbsolute(source));
  return { images, workloads, volumes };
}

type Made = Awaited<ReturnType<typeof made>>;

/** Exactly what `byHand` has made. */
function clear({ volumes }: Pick<Made, 'volumes'>): void {
  run('k3d', ['cluster', 'delete', hand]);
  for (const volume of volumes) run('docker', ['volume', 'rm', '-f', volume]);
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** Working set of every pod and of the node, as the kubelet counts it. */
function memory(): void {
  const kubectl = (...args: string[]): string => run('kubectl', ['--kubeconfig', path.join(workspace, '.forge', 'kubeconfig'), ...args]);
  const node = kubectl('get', 'nodes', '-o', 'name').trim().replace('node/', '');
  interface Summary {
    pods: { podRef: { namespace: string; name: string }; memory?: { workingSetBytes?: number } }[];
  }
  const { pods } = JSON.parse(kubectl('get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`)) as Summary;
  const rows = pods.map(({ podRef, memory }) => ({
    pod: `${podRef.namespace}/${podRef.name}`,
    mib: (memory?.workingSetBytes ?? 0) / 2 ** 20,
  }));
  for (const { pod, mib } of rows.toSorted((a, b) => b.mib - a.mib)) console.log(`${pod.padEnd(60)} ${mib.toFixed(0).padStart(5)} MiB`);
  console.log(`all pods take ${rows.reduce((sum, { mib }) => sum + mib, 0).toFixed(0)} MiB`);
}

const timesOfUp: Awaited<ReturnType<typeof up>>[] = [];
const timesByHand: number[] = [];
const timesOfNoop: number[] = [];
let stack: Made = { images: [], workloads: [], volumes: [] };
mkdirSync(workspace);
writeFileSync(path.join(workspace, 'forge.yaml'), stringify({ k3d: { name } }));
try {
  for (let round = 1; round <= rounds; round++) {
    const { ready, whole } = await up();
    timesOfUp.push({ ready, whole });
    console.log(`round ${round}: forge up until every pod is ready ${ready.toFixed(1)} s, whole ${whole.toFixed(1)} s`);
    stack = await made();
    if (round === rounds) {
      awaitQuiet();
      for (let at = 0; at < NOOPS; at++) timesOfNoop.push((await up()).whole);
      memory();
    }
    run(process.execPath, [forge, 'down', '--yes']);
    timesByHand.push(await byHand(stack));
    console.log(`round ${round}: by hand ${timesByHand.at(-1)!.toFixed(1)} s`);
    clear(stack);
  }
  const best = Math.min(...timesByHand);
  const ratio = Math.min(...timesOfUp.map(({ ready }) => ready)) / best;
  const wholeRatio = Math.min(...timesOfUp.map(({ whole }) => whole)) / best;
  const noop = median(timesOfNoop);
  console.log(
    `forge up takes ${ratio.toFixed(2)} times as long as by hand until every pod is ready (limit ${LIMIT}, best of ${rounds} rounds each)`,
  );
  console.log(`with topic, bucket, tables, views and the running job, which nobody makes by hand here, ${wholeRatio.toFixed(2)} times`);
  console.log(`no-op forge up takes ${noop.toFixed(2)} s (limit ${NOOP_LIMIT_SECONDS} s, ${NOOPS} runs)`);
  if (!(ratio <= LIMIT && noop <= NOOP_LIMIT_SECONDS)) process.exitCode = 1;
} finally {
  spawnSync(process.execPath, [forge, 'down', '--yes'], { cwd: workspace });
  clear(stack);
  rmSync(folder, { recursive: true, force: true });
}
