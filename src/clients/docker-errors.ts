import { type ForgeError, lackingError, serverError } from '../errors.js';
import { redact } from '../workspace/secret.js';

const FORBIDDEN = /permission denied.*(docker|podman|\.sock|connect|dial)/is;
const UNREACHABLE =
  /cannot connect to (the docker daemon|podman)|error during connect|is the docker daemon running|failed to connect to the docker api|dial (unix|tcp)|connection refused|connection reset|broken pipe|unexpected EOF|error reading from server: EOF|context deadline exceeded while awaiting headers/i;

/** What a failed `docker` or `k3d` said about the engine behind it; undefined when the engine is not to blame. */
export function engineError(output: string, env: NodeJS.ProcessEnv = process.env): ForgeError | undefined {
  // An engine that answers with an error does answer, also when it could not reach a registry.
  const lines = plain(output)
    .split('\n')
    .filter((line) => !/error response from daemon/i.test(line));
  const forbidden = lines.find((line) => FORBIDDEN.test(line));
  if (forbidden !== undefined) return dockerForbidden(shortened(forbidden), env);
  const unreachable = lines.find((line) => UNREACHABLE.test(line));
  return unreachable === undefined ? undefined : dockerUnreachable(shortened(unreachable), env);
}

/** Without colours and without what k3d writes before a message. */
const plain = (text: string): string => text.replace(/\u001b\[\d+m/g, '').replace(/^(ERRO|FATA|WARN)\[\d+\]\s*/gm, '');

export const dockerMissing = (): ForgeError =>
  lackingError({
    code: 'DOCKER_MISSING',
    message: 'There is no docker on this machine (PATH)',
    hint: `Install Docker ${process.platform === 'darwin' ? 'Desktop, OrbStack or Colima' : 'Engine (docs.docker.com/engine/install)'}, or use --runtime process, which needs none`,
  });

export const dockerTooOld = (found: string, needed: string): ForgeError =>
  lackingError({
    code: 'DOCKER_TOO_OLD',
    message: `The engine is ${found}; k3d needs ${needed} or newer`,
    hint: 'Update it, or use --runtime process',
  });

export function dockerUnreachable(why: string, env: NodeJS.ProcessEnv = process.env): ForgeError {
  const host = env['DOCKER_HOST'];
  const start =
    process.platform === 'darwin'
      ? 'Start Docker (`open -a Docker`, or `colima start`)'
      : 'Start Docker (`sudo systemctl start docker`; rootless: `systemctl --user start docker`; Podman: `systemctl --user start podman.socket`)';
  return lackingError({
    code: 'DOCKER_UNREACHABLE',
    message: `Docker does not answer${host === undefined || host === '' ? '' : ` (DOCKER_HOST=${host})`}: ${why}`,
    hint: `${start}, then run the same command again`,
  });
}

function dockerForbidden(why: string, env: NodeJS.ProcessEnv): ForgeError {
  const host = env['DOCKER_HOST'];
  return lackingError({
    code: 'DOCKER_FORBIDDEN',
    message: `You may not use Docker${host === undefined || host === '' ? '' : ` (DOCKER_HOST=${host})`}: ${why}`,
    hint: 'Add yourself to its group (`sudo usermod -aG docker $USER`) and log in again, or use rootless Docker, or --runtime process',
  });
}

/** `docker` is Podman's stand-in for it, which speaks another dialect; Podman's socket works with Docker's own command line. */
export const dockerIsPodman = (): ForgeError =>
  lackingError({
    code: 'DOCKER_IS_PODMAN',
    message: "`docker` is Podman's stand-in here, which gives other answers than Docker's command line",
    hint: "Install Docker's command line (docker-cli) and serve Podman's socket: `systemctl --user enable --now podman.socket`, `export DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock`",
  });

/** The program answered, but not with what it should: nothing may be concluded from that. */
export const answerUnknown = (program: 'docker' | 'k3d', command: string, why: string): ForgeError =>
  serverError({
    code: program === 'docker' ? 'DOCKER_ANSWER_UNKNOWN' : 'K3D_ANSWER_UNKNOWN',
    message: redact(`\`${program} ${command}\` gave an answer that cannot be understood: ${why}`),
    hint: `Run it by hand; nothing was changed. Is ${program} a wrapper, or of a version that forge does not know?`,
  });

const shortened = (line: string): string => redact(line.trim().slice(0, 500));
export const lastLine = (text: string): string => shortened(plain(text).trim().split('\n').at(-1) ?? '');
