import { lackingError, type ForgeError } from '../../errors.js';
import { holderOf, type PortHolder } from '../../workspace/port-holder.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { ProcessSpec } from '../types.js';
import { ownProcesses, processState } from './state.js';

const BIND_ERROR = /address already in use|BindException|EADDRINUSE|Errno 98|Errno 48|could not bind/i;

interface Stranger {
  name: string;
  port: number;
  holder: PortHolder;
}

/** Who holds one of a server's ports without belonging to it. */
async function strangerOn(spec: ProcessSpec, ports: Record<string, number>, workspace: Workspace): Promise<Stranger | undefined> {
  const pids = new Set((await processState(workspace, spec.name)).pids);
  for (const name of spec.ports) {
    const port = ports[name];
    const holder = port === undefined ? undefined : holderOf(port, pids);
    if (port !== undefined && holder !== undefined && !pids.has(holder.pid)) return { name, port, holder };
  }
  return undefined;
}

function portTaken(spec: ProcessSpec, text: string, cause: string): ForgeError {
  return lackingError({
    code: 'PORT_TAKEN',
    message: `${spec.name} cannot listen: ${text}`,
    hint: `${cause}, or give ${spec.name} other ports in forge.yaml (ports: …), then run \`forge up\` again`,
  });
}

const describe = ({ name, port, holder }: Stranger): string =>
  `port ${port} (${name}) is held by process ${holder.pid} (${holder.command})`;

/** The error for a server whose port somebody else has, so that a stranger's answer is never taken for its own. */
export async function strangerAnswers(
  spec: ProcessSpec,
  ports: Record<string, number>,
  workspace: Workspace,
): Promise<ForgeError | undefined> {
  const stranger = await strangerOn(spec, ports, workspace);
  return stranger === undefined ? undefined : portTaken(spec, describe(stranger), 'End that process');
}

/** The error for a server that ended since one of its ports was taken: who holds it, instead of a stack trace. */
export async function portTakenBy(
  spec: ProcessSpec,
  ports: Record<string, number>,
  lines: string[],
  workspace: Workspace,
): Promise<ForgeError | undefined> {
  const line = lines.find((candidate) => BIND_ERROR.test(candidate));
  if (line === undefined) return undefined;
  const stranger = await strangerOn(spec, ports, workspace);
  if (stranger !== undefined) return portTaken(spec, describe(stranger), 'End that process');
  const all = spec.ports.map((name) => ports[name]).filter((port) => port !== undefined);
  return portTaken(spec, `one of its ports (${all.join(', ')}) was taken when it started: ${line.trim()}`, 'End what listens there');
}

/** Tells of a port whether one of this workspace's own servers listens on it, as things are now. */
export async function ownPorts(workspace: Workspace): Promise<(port: number) => boolean> {
  const pids = new Set((await ownProcesses(workspace)).flatMap((process) => process.tree.map((entry) => entry.pid)));
  return (port) => pids.has(holderOf(port, pids)?.pid ?? -1);
}
