import { docker } from '../../../clients/docker.js';
import { findProgram } from '../../../clients/exec.js';
import { clusterName } from '../../../runtimes/k3d/name.js';
import type { StackContext } from '../../../workspace/context.js';
import { holderOf, type PortHolder } from '../../../workspace/port-holder.js';
import { isTaken } from '../../../workspace/ports.js';
import { readText } from '../../../workspace/read-text.js';
import { servicesOf } from '../../../workspace/services.js';
import type { Check, StackPlace, Trouble } from '../../check.js';
import { ownProcesses } from '../servers/own-processes.js';

/** On which ports the processes of a component listen. */
const PORTS: Record<string, readonly string[]> = {
  kafka: ['kafka', 'kafka-controller'],
  localstack: ['localstack'],
  postgresql: ['postgresql'],
  polaris: ['catalog', 'catalog-management'],
  'iceberg-rest': ['catalog'],
  flink: ['flink', 'flink-rpc', 'flink-blob', 'flink-taskmanager-rpc', 'flink-taskmanager-data'],
};

interface Wanted {
  name: string;
  port: number;
  component?: string;
}

/** Ports that servers of the stack would listen on, and do not. One of a server that runs is its own. */
export const portTaken: Check = {
  id: 'port-taken',
  group: 'machine',
  title: 'Nobody else holds a port of the stack',
  needs: ['docker-answers'],
  seconds: 15,
  concerns: ({ stack }) => stack.runtime !== 'kubernetes',
  async look(place): Promise<Trouble[]> {
    const listening = await listeners(await wanted(place));
    if (listening.length === 0) return [];
    // All of them: a server of an earlier choice (another catalog) is no stranger either.
    const own = (await ownProcesses(place)).flatMap(({ pids }) => pids);
    const likely = new Set(own);
    const held: Held[] = [];
    for (const one of listening) {
      const holder = holderOf(one.port, likely);
      // Whoever has one port often has the next, and to go through all processes takes long.
      if (holder !== undefined) likely.add(holder.pid);
      const stranger = holder !== undefined && own.includes(holder.pid) ? undefined : await strangerOn(one.port, holder, place);
      if (stranger !== undefined) held.push({ ...one, stranger });
    }
    const components = [...new Set(held.map(({ component }) => component))];
    return components.map((component) =>
      troubleOf(
        component,
        held.filter((one) => one.component === component),
      ),
    );
  },
};

interface Held extends Wanted {
  stranger: string;
}

async function wanted(place: StackPlace): Promise<Wanted[]> {
  const { stack, isKnown } = place;
  const seen = await place.states();
  // Before the first `up` no port is chosen yet, but for those that somebody has set.
  const chosen = isKnown ? stack.ports : stack.config.ports;
  const at = (name: string, component?: string): Wanted[] => {
    const port = (chosen as Record<string, number | undefined>)[name];
    return port === undefined ? [] : [{ name, port, ...(component === undefined ? {} : { component }) }];
  };
  if (stack.runtime === 'k3d') {
    // The node holds all of them as soon as it runs.
    const isDown = seen.every(({ state, pods }) => state === 'stopped' && (pods ?? []).length === 0);
    return isDown ? ['k3d-api', ...Object.keys(servicesOf(stack))].flatMap((name) => at(name)) : [];
  }
  const absent = seen.filter(({ state }) => state !== 'running' && state !== 'failing');
  // It runs only while SQL is submitted, and `up` takes another port for it unless somebody ordered this one.
  const isOrdered = stack.config.ports['flink-sql-gateway'] !== undefined;
  const gateway = stack.engine === 'flink' && isOrdered ? at('flink-sql-gateway', 'flink') : [];
  return [...absent.flatMap(({ name }) => (PORTS[name] ?? []).flatMap((port) => at(port, name))), ...gateway];
}

/** A line of /proc/net/tcp of a socket that listens. */
const SOCKET = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F:]+ 0A /gm;
/** All addresses, or loopback, of both families: one of another address is in nobody's way. */
const LOCAL = /^(0+|(0{16}(F{4}|0000)0*)?0100007F|0{24}01000000|0{16}FFFF000000000000)$/;

/** One look at the table of sockets, where there is one: whoever tries a port out may be in a server's way. */
async function listeners(ports: Wanted[]): Promise<Wanted[]> {
  const table = ['/proc/net/tcp', '/proc/net/tcp6'].map(readText);
  if (table[0] === undefined) {
    const taken = await Promise.all(ports.map(({ port }) => isTaken(port)));
    return ports.filter((_, index) => taken[index]);
  }
  const heard = new Set(
    table.flatMap((text) =>
      [...(text ?? '').matchAll(SOCKET)].flatMap(([, address = '', port = '']) => (LOCAL.test(address) ? [parseInt(port, 16)] : [])),
    ),
  );
  return ports.filter(({ port }) => heard.has(port));
}

/** In words; undefined when the port is the stack's own after all. */
async function strangerOn(port: number, holder: PortHolder | undefined, { stack, signal }: StackPlace): Promise<string | undefined> {
  const containers =
    holder === undefined || /docker|rootlessport|slirp|conmon/.test(holder.command) ? await containersOn(port, signal) : [];
  if (containers.some((name) => isOwnContainer(name, stack))) return undefined;
  if (containers.length > 0) return `the container ${containers.join(', ')}`;
  return holder === undefined ? 'a process of another user' : `process ${holder.pid} (${holder.command})`;
}

const isOwnContainer = (name: string, stack: StackContext): boolean =>
  stack.runtime === 'k3d' && name.startsWith(`k3d-${clusterName(stack)}-`);

async function containersOn(port: number, signal: AbortSignal): Promise<string[]> {
  if (findProgram('docker') === undefined) return [];
  const options = { signal, timeoutSeconds: 2 };
  const text = await docker(['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'], options).catch(() => '');
  return text.split('\n').filter((name) => name !== '');
}

function troubleOf(component: string | undefined, held: Held[]): Trouble {
  const named = held.map(({ name, port }) => `${port} (${name})`).join(', ');
  const one = held.length === 1;
  return {
    ...(component === undefined ? {} : { component }),
    title: `${one ? 'Port' : 'Ports'} ${named} ${one ? 'is' : 'are'} held by somebody else`,
    cause: held.map(({ port, stranger }) => `${stranger} listens on ${port}, and is no server of this stack`).join('; '),
    remedy: `End it, then \`forge up\`; where forge.yaml sets no port (ports: …), \`forge up\` can also take another one`,
  };
}
