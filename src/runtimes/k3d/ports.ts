import { docker } from '../../clients/docker.js';
import { ForgeError, lackingError } from '../../errors.js';
import { holderOf } from '../../workspace/port-holder.js';
import { isTaken } from '../../workspace/ports.js';
import type { ClusterSpec } from './config.js';

/** Docker would say it too, but only after a while and without a name. */
export async function refuseTakenPorts({ ports }: ClusterSpec, signal: AbortSignal): Promise<void> {
  const taken: string[] = [];
  for (const { name, host } of ports)
    if (await isTaken(host)) taken.push(`port ${host} (${name}) is taken by ${await holder(host, signal)}`);
  if (taken.length > 0) throw portTaken(taken.join('\n'));
}

async function holder(port: number, signal: AbortSignal): Promise<string> {
  const names = await docker(['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'], { signal }).catch(() => '');
  if (names.trim() !== '') return `the container ${names.trim().split('\n').join(', ')}`;
  const found = holderOf(port);
  return found === undefined ? 'a process of another user' : `${found.command} (pid ${found.pid})`;
}

/** Somebody may have taken a port since they were looked at. */
export function portError(error: unknown, { ports }: ClusterSpec): ForgeError | undefined {
  if (!(error instanceof ForgeError) || !/port is already allocated|address already in use|ports are not available/i.test(error.message))
    return undefined;
  const named = ports.filter(({ host }) => new RegExp(`:${host}\\b`).test(error.message));
  const text = named.length === 0 ? 'one of the ports of the cluster' : named.map(({ name, host }) => `port ${host} (${name})`).join(', ');
  return portTaken(`${text} was taken while the cluster was made`, error);
}

const portTaken = (text: string, cause?: unknown): ForgeError =>
  lackingError({
    code: 'PORT_TAKEN',
    message: text.charAt(0).toUpperCase() + text.slice(1),
    hint: 'Stop that program and run the same command again; or set another port (ports in forge.yaml) and add --recreate, as Docker changes no port of a cluster that exists',
    cause,
  });
