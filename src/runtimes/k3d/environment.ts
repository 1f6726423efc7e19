import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { tryDocker } from '../../clients/docker.js';
import { ensureDir } from '../../workspace/atomic.js';
import type { StackContext } from '../../workspace/context.js';
import type { Workspace } from '../../workspace/workspace.js';
import { DOLLAR } from './config.js';

const DEFAULT_SOCKET = '/var/run/docker.sock';

/**
 * Runs `use` with the environment for k3d: the engine's socket, and a folder of its own for all that it would else leave
 * in the temporary folder, in ~/.config/k3d and in ~/.kube/config (`cluster delete` writes that file anew).
 */
export async function withK3dEnvironment<T>(
  workspace: Workspace,
  use: (env: NodeJS.ProcessEnv) => Promise<T>,
  { toolsImage }: { toolsImage?: string } = {},
): Promise<T> {
  const folder = await ownFolder(workspace);
  try {
    const socket = await socketPath();
    return await use({
      ...process.env,
      TMPDIR: folder,
      XDG_CONFIG_HOME: folder,
      KUBECONFIG: path.join(folder, 'kubeconfig'),
      [DOLLAR]: '$',
      ...(socket === undefined ? {} : { DOCKER_SOCK: socket }),
      ...(toolsImage === undefined ? {} : { K3D_IMAGE_TOOLS: toolsImage }),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Below .forge, so that `down` removes what a killed forge left, and the next run before that. */
async function ownFolder({ forgeDir, run }: Workspace): Promise<string> {
  // Somebody may have removed it by hand.
  if (!existsSync(forgeDir)) return mkdtemp(path.join(os.tmpdir(), 'forge-k3d-'));
  await ensureDir(run, 0o700);
  const left = (await readdir(run)).filter((name) => isLeft(/^k3d-(\d+)-/.exec(name)?.[1]));
  await Promise.all(left.map((name) => rm(path.join(run, name), { recursive: true, force: true })));
  return mkdtemp(path.join(run, `k3d-${process.pid}-`));
}

function isLeft(pid: string | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** The image of the helper that k3d runs while it makes or starts a cluster: of its own version, and no k3s holds it. */
export function toolsImage({ config }: Pick<StackContext, 'config'>, k3dVersion: string, env: NodeJS.ProcessEnv = process.env): string {
  const { K3D_IMAGE_TOOLS: image, K3D_HELPER_IMAGE_TAG: tag } = env;
  if (image !== undefined && image !== '') return image;
  const own = `ghcr.io/k3d-io/k3d-tools:${tag === undefined || tag === '' ? k3dVersion : tag}`;
  const { mirror } = config.images;
  return mirror === undefined ? own : `${mirror.replace(/\/$/, '')}/${own}`;
}

/**
 * k3d mounts the engine's socket into that helper and looks for it in the usual place only. In the virtual machine of
 * Docker Desktop, Colima and the like it is there, wherever it is on this side.
 */
export async function socketPath(env: NodeJS.ProcessEnv = process.env, platform = process.platform): Promise<string | undefined> {
  const { DOCKER_SOCK: told } = env;
  if (told !== undefined && told !== '') return told;
  if (platform !== 'linux') return undefined;
  const socket = /^unix:\/\/(\/.+)$/.exec(await engineEndpoint(env))?.[1];
  return socket === undefined || socket === DEFAULT_SOCKET || socket.includes('/.docker/desktop/') ? undefined : socket;
}

/** Where Docker's command line finds the engine: DOCKER_HOST, else its selected context (rootless Docker sets one). */
export async function engineEndpoint(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { DOCKER_HOST: host } = env;
  if (host !== undefined && host !== '') return host;
  const { exitCode, stdout } = await tryDocker(['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']);
  return exitCode === 0 ? stdout.trim() : '';
}
