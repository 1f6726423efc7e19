import { z } from 'zod';
import { ForgeError, serverError } from '../errors.js';
import { redact } from '../workspace/secret.js';
import { answerUnknown, dockerIsPodman, dockerMissing, dockerTooOld, dockerUnreachable, engineError } from './docker-errors.js';
import { tryRun, type RunOptions, type RunResult } from './exec.js';

export type DockerOptions = Pick<RunOptions, 'signal' | 'onLine' | 'timeoutSeconds' | 'tied'>;

/** An engine that has nothing heavy to do answers at once; one that hangs is to be told. */
const PATIENCE_SECONDS = 30;

/**
 * Runs `docker` and gives what it said, whatever its exit code.
 * @throws ForgeError DOCKER_MISSING, DOCKER_UNREACHABLE, DOCKER_FORBIDDEN (exit 3)
 */
export async function tryDocker(args: readonly string[], options: DockerOptions = {}): Promise<RunResult> {
  let result: RunResult;
  try {
    result = await tryRun('docker', args, { timeoutSeconds: PATIENCE_SECONDS, ...options });
  } catch (error) {
    if (error instanceof ForgeError && error.code === 'COMMAND_MISSING') throw dockerMissing();
    if (error instanceof ForgeError && error.code === 'COMMAND_TIMED_OUT')
      throw dockerUnreachable(`\`docker ${args[0] ?? ''}\` was not done after ${options.timeoutSeconds ?? PATIENCE_SECONDS} s`);
    throw error;
  }
  const engine = result.exitCode === 0 ? undefined : engineError(result.stderr);
  if (engine !== undefined) throw engine;
  return result;
}

/** Like `tryDocker`, but an exit code other than 0 is a ForgeError DOCKER_FAILED with the last lines. */
export async function docker(args: readonly string[], options: DockerOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await tryDocker(args, options);
  if (exitCode === 0) return stdout;
  throw serverError({
    code: 'DOCKER_FAILED',
    message: redact(`\`docker ${shortened(args)}\` ended with exit code ${exitCode}: ${(stderr.trim() || stdout.trim()).slice(-2000)}`),
    hint: 'See the message above; the command can be run by hand',
  });
}

const shortened = (args: readonly string[]): string => {
  const line = args.join(' ');
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
};

/** An answer in JSON, as it should look; anything else is unknown, never "nothing there". */
export function parseJson<T>(program: 'docker' | 'k3d', command: string, schema: z.ZodType<T>, text: string): T {
  if (text.trim() === '') throw answerUnknown(program, command, 'it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw answerUnknown(program, command, `it is not JSON: ${text.trim().slice(0, 100)}`);
  }
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw answerUnknown(program, command, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

const versionSchema = z.object({
  Client: z.looseObject({ OsArch: z.string().optional(), ApiVersion: z.string().optional() }).optional(),
  Server: z
    .object({
      Version: z.string().min(1),
      Platform: z.object({ Name: z.string() }).optional(),
      Components: z.array(z.object({ Name: z.string(), Version: z.string() })).nullish(),
    })
    .nullish(),
});

export interface DockerEngine {
  version: string;
  isPodman: boolean;
}

/** What k3d 5 works with. */
const OLDEST = { docker: [20, 10, 5], podman: [4, 0, 0] };

/**
 * The engine that answers.
 * @throws ForgeError DOCKER_MISSING, DOCKER_TOO_OLD, DOCKER_UNREACHABLE, DOCKER_FORBIDDEN, DOCKER_IS_PODMAN (exit 3), DOCKER_ANSWER_UNKNOWN (exit 4)
 */
export async function dockerEngine(options: DockerOptions = {}): Promise<DockerEngine> {
  const { stdout, stderr, exitCode } = await tryDocker(['version', '--format', '{{json .}}'], options);
  if (exitCode !== 0) throw answerUnknown('docker', 'version', `exit code ${exitCode}: ${(stderr.trim() || stdout.trim()).slice(-500)}`);
  const { Client: client, Server: server } = parseJson('docker', 'version', versionSchema, stdout);
  if (server === null || server === undefined) {
    if (client?.OsArch !== undefined && client.ApiVersion === undefined) throw dockerIsPodman();
    throw answerUnknown('docker', 'version', 'it names no engine');
  }
  const podman = server.Components?.find(({ Name }) => Name === 'Podman Engine');
  const engine = { version: podman?.Version ?? server.Version, isPodman: podman !== undefined };
  const oldest = engine.isPodman ? OLDEST.podman : OLDEST.docker;
  if (isOlder(engine.version, oldest)) {
    const name = engine.isPodman ? 'Podman' : 'Docker';
    throw dockerTooOld(`${name} ${engine.version}`, `${name} ${oldest.join('.')}`);
  }
  return engine;
}

/** Compares the numbers that a version begins with (`20.10.24+dfsg1`). A version without numbers is somebody's own build: not older. */
export function isOlder(version: string, than: readonly number[]): boolean {
  const numbers = (/^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version) ?? []).slice(1).map((part) => Number(part));
  for (const [index, least] of than.entries()) {
    const own = numbers[index];
    if (own === undefined || Number.isNaN(own)) return false;
    if (own !== least) return own < least;
  }
  return false;
}
