import { findProgram } from '../../clients/exec.js';
import { dockerEngine, type DockerEngine, type DockerOptions } from '../../clients/docker.js';
import { k3dVersion } from '../../clients/k3d.js';
import { ExitCode, ForgeError, lackingError, messageOf } from '../../errors.js';
import { engineEndpoint } from './environment.js';

export interface K3dTools {
  engine: DockerEngine;
  k3dVersion: string;
}

/**
 * The engine and the k3d of this machine. What lacks is told all at once.
 * @throws ForgeError DOCKER_…, K3D_… (exit 3), MISSING_TOOLS where both lack, DOCKER_REMOTE
 */
export async function requireK3d(options: DockerOptions = {}): Promise<K3dTools> {
  const [engine, version] = await Promise.allSettled([localEngine(options), k3dVersion(options)]);
  if (engine.status === 'fulfilled' && version.status === 'fulfilled') return { engine: engine.value, k3dVersion: version.value };
  options.signal?.throwIfAborted();
  const errors = [engine, version].flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  // What is not merely lacking comes first: somebody has to look at it.
  const [other] = errors.filter((error) => !(error instanceof ForgeError) || error.exitCode !== ExitCode.lacking);
  if (other !== undefined) throw other as Error;
  const lacking = errors as ForgeError[];
  if (lacking.length === 1) throw lacking[0]!;
  throw lackingError({
    code: 'MISSING_TOOLS',
    message: `This machine lacks what the runtime k3d needs:\n${lacking.map((error) => `  - ${messageOf(error)}`).join('\n')}`,
    hint: lacking.map(({ hint }) => hint ?? '').join('\n'),
  });
}

/** An engine on another machine would publish the ports there, and could not mount forge's packages. */
async function localEngine(options: DockerOptions): Promise<DockerEngine> {
  const engine = await dockerEngine(options);
  const endpoint = await engineEndpoint();
  if (!/^(tcp|ssh|https?):\/\/(?!([^@/]*@)?(localhost|127\.0\.0\.1|\[::1\])(:|\/|$))/.test(endpoint)) return engine;
  throw lackingError({
    code: 'DOCKER_REMOTE',
    message: `Docker runs on another machine (${endpoint.replace(/\/\/[^@/]*@/, '//')}): the ports of the stack would be there`,
    hint: 'Use a Docker of this machine (unset DOCKER_HOST, `docker context use default`), or forge on that machine',
  });
}

/** Long enough for an engine that is there, too short to hold up somebody who has none. */
const SHORT_SECONDS = 5;

/** Why `runtime: auto` does not take k3d here; undefined when it does. */
export async function whyNotK3d(signal?: AbortSignal): Promise<string | undefined> {
  if (findProgram('docker') === undefined) return 'there is no Docker';
  if (findProgram('k3d') === undefined) return 'there is no k3d';
  try {
    await requireK3d({ timeoutSeconds: SHORT_SECONDS, ...(signal === undefined ? {} : { signal }) });
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    const text = messageOf(error).split('\n')[0] ?? '';
    return text.charAt(0).toLowerCase() + text.slice(1);
  }
}
