import { z } from 'zod';
import { docker, parseJson, tryDocker, type DockerOptions } from './docker.js';

const labels = z.record(z.string(), z.string()).nullish();
const containerSchema = z.array(
  z.object({
    Id: z.string().min(1),
    Name: z.string(),
    State: z.object({ Status: z.string(), StartedAt: z.string() }),
    Config: z.object({ Image: z.string(), Labels: labels, Cmd: z.array(z.string()).nullish() }),
    HostConfig: z.object({
      Binds: z.array(z.string()).nullish(),
      PortBindings: z.record(z.string(), z.array(z.object({ HostIp: z.string().optional(), HostPort: z.string() })).nullable()).nullish(),
    }),
  }),
);

export interface Container {
  id: string;
  name: string;
  /** `created`, `running`, `paused`, `restarting`, `exited`, `removing`, `dead`. */
  status: string;
  /** When it was last started. */
  startedAt: Date;
  image: string;
  labels: Record<string, string>;
  command: string[];
  /** As they were given: `SOURCE:TARGET[:options]`. */
  binds: string[];
  ports: { inside: number; host: number; address: string }[];
}

const filters = (wanted: Record<string, string>): string[] =>
  Object.entries(wanted).flatMap(([name, value]) => ['--filter', `label=${name}=${value}`]);

/** The containers of these names, as far as they are there. */
export const containersNamed = async (names: readonly string[], options?: DockerOptions): Promise<Container[]> =>
  (await inspect('container', names, containerSchema, options)).map(toContainer);

/** Every container with all of these labels, whether or not it runs. */
export async function listContainers(wanted: Record<string, string>, options: DockerOptions = {}): Promise<Container[]> {
  return containersNamed(lines(await docker(['ps', '--all', '--quiet', '--no-trunc', ...filters(wanted)], options)), options);
}

const NOT_THERE = /no such (container|network|volume)|(container|network|volume)\b.* not found/i;

/** What is there of these; what is not is left out, and any other failure is none of "not there". */
async function inspect<T>(
  kind: 'container' | 'network' | 'volume',
  names: readonly string[],
  schema: z.ZodType<T[]>,
  options: DockerOptions = {},
): Promise<T[]> {
  if (names.length === 0) return [];
  const { exitCode, stdout, stderr } = await tryDocker([kind, 'inspect', ...names], options);
  if (exitCode !== 0 && !lines(stderr).every((line) => NOT_THERE.test(line))) await docker([kind, 'inspect', ...names], options);
  return parseJson('docker', `${kind} inspect`, schema, stdout);
}

function toContainer({ Id, Name, State, Config, HostConfig }: z.output<typeof containerSchema>[number]): Container {
  const ports = Object.entries(HostConfig.PortBindings ?? {}).flatMap(([inside, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => ({
      inside: Number.parseInt(inside, 10),
      host: Number(HostPort),
      address: HostIp ?? '',
    })),
  );
  return {
    id: Id,
    name: Name.replace(/^\//, ''),
    status: State.Status,
    startedAt: new Date(State.StartedAt),
    image: Config.Image,
    labels: Config.Labels ?? {},
    command: Config.Cmd ?? [],
    binds: HostConfig.Binds ?? [],
    ports,
  };
}

export interface Named {
  name: string;
  labels: Record<string, string>;
}

const namedSchema = z.array(z.object({ Name: z.string(), Labels: labels }));
const toNamed = ({ Name, Labels }: z.output<typeof namedSchema>[number]): Named => ({ name: Name, labels: Labels ?? {} });

/** The networks of these names, as far as they are there. */
export const networksNamed = async (names: readonly string[], options?: DockerOptions): Promise<Named[]> =>
  (await inspect('network', names, namedSchema, options)).map(toNamed);
/** The volumes of these names, as far as they are there. */
export const volumesNamed = async (names: readonly string[], options?: DockerOptions): Promise<Named[]> =>
  (await inspect('volume', names, namedSchema, options)).map(toNamed);

/** The networks with all of these labels. */
export const listNetworks = async (wanted: Record<string, string>, options?: DockerOptions): Promise<Named[]> =>
  networksNamed(lines(await docker(['network', 'ls', '--quiet', '--no-trunc', ...filters(wanted)], options)), options);
/** The volumes with all of these labels. */
export const listVolumes = async (wanted: Record<string, string>, options?: DockerOptions): Promise<Named[]> =>
  volumesNamed(lines(await docker(['volume', 'ls', '--quiet', ...filters(wanted)], options)), options);

const labelled = (given: Record<string, string>): string[] =>
  Object.entries(given).flatMap(([name, value]) => ['--label', `${name}=${value}`]);

/** Makes a volume; one of that name that is there stays as it is. */
export const createVolume = ({ name, labels: given }: Named, options?: DockerOptions): Promise<string> =>
  docker(['volume', 'create', ...labelled(given), name], options);
export const createNetwork = ({ name, labels: given }: Named, options?: DockerOptions): Promise<string> =>
  docker(['network', 'create', ...labelled(given), name], options);

/** Removes containers, running or not, with the nameless volumes that were made for them. */
export async function removeContainers(ids: readonly string[], options?: DockerOptions): Promise<void> {
  if (ids.length > 0) await removed(['rm', '--force', '--volumes', ...ids], options);
}
export const removeVolume = (name: string, options?: DockerOptions): Promise<void> => removed(['volume', 'rm', name], options);
export const removeNetwork = (name: string, options?: DockerOptions): Promise<void> => removed(['network', 'rm', name], options);

/** Runs a command in a container. */
export const inContainer = (container: string, command: readonly string[], options?: DockerOptions): Promise<string> =>
  docker(['exec', container, ...command], options);

/** The command lines of what runs in a container. */
export const processesIn = async (container: string, options?: DockerOptions): Promise<string[]> =>
  lines(await docker(['top', container, '-eo', 'pid,args'], options)).slice(1);
export const restartContainer = (container: string, options?: DockerOptions): Promise<string> =>
  docker(['restart', '--time', '5', container], { timeoutSeconds: 60, ...options });

/** The last lines that a container wrote, both outputs. */
export async function lastLines(container: string, count: number, options?: DockerOptions): Promise<string[]> {
  const { stdout, stderr } = await tryDocker(['logs', '--tail', String(count), container], options);
  return lines(`${stdout}\n${stderr}`).slice(-count);
}

/** What is gone already counts as removed. */
async function removed(args: string[], options: DockerOptions = {}): Promise<void> {
  const { exitCode, stderr } = await tryDocker(args, { timeoutSeconds: 120, ...options });
  if (exitCode !== 0 && !/no such (container|volume|network)|not found|removal of container .* is already in progress/i.test(stderr))
    await docker(args, options);
}

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
