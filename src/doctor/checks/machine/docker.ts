import { ForgeError, messageOf } from '../../../errors.js';
import { requireK3d } from '../../../runtimes/k3d/require.js';
import type { Check, Trouble } from '../../check.js';

const TITLES: Record<string, string> = {
  DOCKER_MISSING: 'There is no Docker on this machine',
  DOCKER_UNREACHABLE: 'Docker does not answer',
  DOCKER_FORBIDDEN: 'This user may not use Docker',
  DOCKER_TOO_OLD: 'Docker is too old',
  DOCKER_REMOTE: 'Docker runs on another machine',
  DOCKER_IS_PODMAN: "`docker` is Podman's stand-in",
  K3D_MISSING: 'There is no k3d on this machine',
  K3D_TOO_OLD: 'k3d is too old',
  MISSING_TOOLS: 'Docker and k3d are missing',
};

/** The engine and the tool that the own cluster stands on. */
export const dockerAnswers: Check = {
  id: 'docker-answers',
  group: 'machine',
  title: 'Docker answers and k3d is there, both new enough',
  // A busy machine takes its time to start two programs.
  seconds: 15,
  concerns: ({ stack }) => stack.runtime === 'k3d',
  async look({ signal }): Promise<Trouble[]> {
    try {
      await requireK3d({ signal, timeoutSeconds: 14 });
      return [];
    } catch (error) {
      if (!(error instanceof ForgeError)) throw error;
      const title = TITLES[error.code] ?? 'Docker or k3d cannot be used';
      return [{ title, cause: messageOf(error), remedy: error.hint ?? 'Run `docker version` and `k3d version` by hand' }];
    }
  },
};
