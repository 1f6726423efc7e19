import { z } from 'zod';
import { ForgeError, lackingError, serverError } from '../errors.js';
import { redact } from '../workspace/secret.js';
import { answerUnknown, engineError } from './docker-errors.js';
import { isOlder, parseJson } from './docker.js';
import { tryRun, type RunOptions, type RunResult } from './exec.js';

export interface K3dOptions extends Pick<RunOptions, 'signal' | 'timeoutSeconds' | 'tied'> {
  env?: NodeJS.ProcessEnv;
  /** What it is doing, in its own words. */
  progress?: (text: string) => void;
}

const OLDEST = [5, 6, 0];

/**
 * Runs `k3d`, and gives what it said whatever its exit code.
 * @throws ForgeError K3D_MISSING, DOCKER_UNREACHABLE, DOCKER_FORBIDDEN (exit 3), K3D_TIMED_OUT (exit 4)
 */
async function tryK3d(args: readonly string[], options: K3dOptions): Promise<RunResult> {
  const { progress, timeoutSeconds = 60, env = process.env, ...rest } = options;
  const onLine = (line: string): void => {
    const step = stepOf(line);
    if (step !== undefined) progress?.(step);
  };
  let result: RunResult;
  try {
    result = await tryRun('k3d', args, { ...rest, env, timeoutSeconds, onLine });
  } catch (error) {
    if (error instanceof ForgeError && error.code === 'COMMAND_MISSING') throw k3dMissing();
    if (error instanceof ForgeError && error.code === 'COMMAND_TIMED_OUT') throw timedOut(args, timeoutSeconds, error);
    throw error;
  }
  const engine = result.exitCode === 0 ? undefined : engineError(result.stderr, env);
  if (engine !== undefined) throw engine;
  return result;
}

/** `INFO[0001] Creating node 'k3d-x-server-0'` without what stands before it. */
const stepOf = (line: string): string | undefined => /^\S*INFO\S*\[\d+\]\s*(.*\S)/.exec(line.replace(/\u001b\[\d+m/g, ''))?.[1];

async function k3d(args: readonly string[], options: K3dOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await tryK3d(args, options);
  if (exitCode === 0) return stdout;
  throw k3dFailed(args, exitCode, stderr.trim() === '' ? stdout : stderr);
}

/** @throws ForgeError K3D_MISSING, K3D_TOO_OLD (exit 3), K3D_ANSWER_UNKNOWN (exit 4) */
export async function k3dVersion(options: K3dOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await tryK3d(['version'], options);
  const version = /^k3d version (\S+)/m.exec(stdout)?.[1];
  if (exitCode !== 0 || version === undefined)
    throw answerUnknown(
      'k3d',
      'version',
      exitCode === 0 ? `"${stdout.trim().slice(0, 100)}"` : `exit code ${exitCode}: ${stderr.trim().slice(-500)}`,
    );
  if (isOlder(version, OLDEST))
    throw lackingError({
      code: 'K3D_TOO_OLD',
      message: `k3d is ${version}; forge needs ${OLDEST.join('.')} or newer`,
      hint: 'Update it (k3d.io), or use --runtime process',
    });
  return version.replace(/^v/, '');
}

const listSchema = z.array(
  z.object({
    name: z.string().min(1),
    nodes: z.array(z.object({ name: z.string() })),
    serversRunning: z.int(),
    serversCount: z.int(),
  }),
);
export type ListedCluster = z.output<typeof listSchema>[number];

/** Every k3d cluster of this Docker, other people's too. An answer that is none is an error, never "no cluster". */
export async function listClusters(options: K3dOptions = {}): Promise<ListedCluster[]> {
  const args = ['cluster', 'list', '--output', 'json'];
  return parseJson('k3d', args.join(' '), listSchema, await k3d(args, options));
}

/** Exactly this cluster is meant in every one of these: never more than one name, never --all. */
export const createCluster = (configFile: string, options: K3dOptions): Promise<string> =>
  k3d(['cluster', 'create', '--config', configFile], { timeoutSeconds: 600, tied: true, ...options });
export const startCluster = (name: string, options: K3dOptions): Promise<string> =>
  k3d(['cluster', 'start', name, '--wait', '--timeout', '180s'], { timeoutSeconds: 240, tied: true, ...options });
export const stopCluster = (name: string, options: K3dOptions): Promise<string> =>
  k3d(['cluster', 'stop', name], { timeoutSeconds: 120, ...options });
export const deleteCluster = (name: string, options: K3dOptions): Promise<string> =>
  k3d(['cluster', 'delete', name], { timeoutSeconds: 180, ...options });

/** The cluster's kubeconfig, with its certificates: keep it from every output. */
export async function clusterKubeconfig(name: string, options: K3dOptions): Promise<string> {
  const text = await k3d(['kubeconfig', 'get', name], options);
  if (!/^kind: Config$/m.test(text)) throw answerUnknown('k3d', `kubeconfig get ${name}`, 'it is no kubeconfig');
  return text;
}

const k3dMissing = (): ForgeError =>
  lackingError({
    code: 'K3D_MISSING',
    message: 'There is no k3d on this machine (PATH)',
    hint: `Install it (${process.platform === 'darwin' ? '`brew install k3d`' : 'k3d.io'}), or use --runtime process, which needs none`,
  });

const timedOut = (args: readonly string[], seconds: number, cause: unknown): ForgeError =>
  serverError({
    code: 'K3D_TIMED_OUT',
    message: `\`k3d ${args.join(' ')}\` was not done after ${seconds} s and was stopped`,
    hint: 'Is Docker busy, or out of memory? Then run the same command again',
    cause,
  });

function k3dFailed(args: readonly string[], exitCode: number, text: string): ForgeError {
  const lines = text
    .replace(/\u001b\[\d+m/g, '')
    .split('\n')
    .filter((line) => /ERRO|FATA|WARN/.test(line) || !/^(INFO|DEBU|TRAC)/.test(line))
    .map((line) => line.replace(/^(ERRO|FATA|WARN)\[\d+\]\s*/, '').trim())
    .filter((line) => line !== '');
  return serverError({
    code: 'K3D_FAILED',
    message: redact(`\`k3d ${args.join(' ')}\` ended with exit code ${exitCode}:\n${lines.slice(-8).join('\n').slice(-3000)}`),
    hint: 'See the lines above, then run the same command again; what k3d left behind is found and mended',
  });
}
