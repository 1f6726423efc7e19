import { z } from 'zod';
import { lackingError, serverError, type ForgeError } from '../errors.js';
import { redact } from '../workspace/secret.js';
import { lastLine } from './docker-errors.js';
import { docker, parseJson, tryDocker, type DockerOptions } from './docker.js';
import { tryRun } from './exec.js';

const imageSchema = z.array(z.object({ Id: z.string().min(1), Size: z.number(), RepoTags: z.array(z.string()).nullish() }));

export interface LocalImage {
  id: string;
  bytes: number;
}

/** An image that this machine's Docker has; undefined when it has none of that name. */
export async function localImage(reference: string, options?: DockerOptions): Promise<LocalImage | undefined> {
  const { exitCode, stdout, stderr } = await tryDocker(['image', 'inspect', reference], options);
  if (exitCode !== 0 && /no such (image|object)|image not known|not found/i.test(stderr)) return undefined;
  if (exitCode !== 0) await docker(['image', 'inspect', reference], options);
  const [image] = parseJson('docker', 'image inspect', imageSchema.min(1), stdout);
  return image === undefined ? undefined : { id: image.Id, bytes: image.Size };
}

/**
 * Pulls an image; `onProgress` gets how many of its layers are here.
 * @throws ForgeError IMAGE_PULL_FAILED (exit 3 when this machine cannot have it, 4 when the registry failed)
 */
export async function pullImage(reference: string, onProgress: (text: string) => void, options: DockerOptions = {}): Promise<void> {
  const layers = new Map<string, boolean>();
  const onLine = (line: string): void => {
    const [, id, state] = /^([0-9a-f]{12}): (.+)$/.exec(line) ?? [];
    if (id === undefined || state === undefined) return;
    layers.set(id, /^(Pull complete|Already exists)/.test(state));
    const done = [...layers.values()].filter(Boolean).length;
    onProgress(`pulling ${reference}: ${done} of ${layers.size} layers`);
  };
  onProgress(`pulling ${reference}`);
  const { exitCode, stdout, stderr } = await tryDocker(['pull', reference], { timeoutSeconds: 1800, tied: true, ...options, onLine });
  if (exitCode !== 0) throw pullError(reference, stderr.trim() === '' ? stdout : stderr);
}

function pullError(reference: string, text: string): ForgeError {
  const told = { code: 'IMAGE_PULL_FAILED', message: redact(`${reference} cannot be pulled: ${lastLine(text)}`) };
  const other = 'name another image in forge.yaml (images: …)';
  if (/toomanyrequests|429|rate limit/i.test(text))
    return serverError({ ...told, hint: `The registry lets nobody pull so much: log in (\`docker login\`), wait, or ${other}` });
  if (/manifest unknown|not found|repository does not exist|no matching manifest|unauthorized|denied/i.test(text))
    return lackingError({ ...told, hint: `Log in (\`docker login\`) if it needs that, or ${other}` });
  if (/no space left/i.test(text))
    return lackingError({ ...told, hint: 'Free some space where Docker keeps its images (`docker system df`)' });
  return serverError({
    ...told,
    hint: `Is there a network? \`forge images load FILE\` takes the images from a file that \`forge images save\` wrote elsewhere; or ${other}`,
  });
}

/** Writes images to one tar archive. */
export const saveImages = (references: readonly string[], file: string, options?: DockerOptions): Promise<string> =>
  docker(['save', '--output', file, ...references], { timeoutSeconds: 3600, tied: true, ...options });

/** Takes the images of an archive into this machine's Docker. */
export const loadImages = (file: string, options?: DockerOptions): Promise<string> =>
  docker(['load', '--input', file], { timeoutSeconds: 3600, tied: true, ...options });

// Both exit codes count: `save` writes its own beside the pipe.
const IMPORT = `node=$1 flags=$2
shift 2
exec 3>&1
saved=$( { { docker save "$@"; echo $? >&4; } | docker exec -i "$node" ctr -n k8s.io images import $flags - >&3; } 4>&1 )
imported=$?
[ "$saved" = 0 ] || exit 90
exit $imported`;

/** Pipes images from this machine's Docker into a container's containerd, what they share once. Keeps no copy on the way. */
export async function pipeImages(
  references: readonly string[],
  container: string,
  flags: string,
  options: DockerOptions = {},
): Promise<void> {
  const script = ['-c', IMPORT, 'sh', container, flags, ...references];
  const { exitCode, stdout, stderr } = await tryRun('/bin/sh', script, { timeoutSeconds: 1800, tied: true, ...options });
  if (exitCode === 0) return;
  // Says what is wrong with the engine, where something is.
  await tryDocker(['version'], { ...options, timeoutSeconds: 30 });
  throw serverError({
    code: 'IMAGE_IMPORT_FAILED',
    message: redact(
      `${references.join(', ')} could not be brought into the cluster's node: ${(stderr.trim() || stdout.trim()).slice(-1500)}`,
    ),
    hint: /no space left/i.test(stderr)
      ? 'Free some space where Docker keeps its data (`docker system df`), then run the same command again'
      : 'Run the same command again; `docker image inspect` and `docker logs` of the node tell more',
  });
}
