import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { findProgram } from '../clients/exec.js';
import type { Workspace } from '../workspace/workspace.js';
import { memoryFacts } from './checks/machine/memory-facts.js';

const MIB = 1024 ** 2;

/** What somebody elsewhere has to know of this machine. No names of people or hosts. */
export async function machineFacts({ root }: Workspace, cacheDir: string): Promise<Record<string, unknown>> {
  const free = async (folder: string): Promise<number | undefined> =>
    statfs(folder).then(
      ({ bavail, bsize }) => Math.round((bavail * bsize) / MIB),
      () => undefined,
    );
  const memory = memoryFacts();
  const settings = Object.entries(process.env).filter(([name]) => name.startsWith('FORGE_'));
  return {
    node: process.versions.node,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    processors: os.cpus().length,
    memoryMiB: Math.round(os.totalmem() / MIB),
    memoryAvailableMiB: memory === undefined ? undefined : Math.round(memory.availableBytes / MIB),
    memoryLimitedBy: memory?.limitedBy,
    uptimeSeconds: Math.round(os.uptime()),
    isRoot: process.getuid?.() === 0,
    diskFreeMiB: { workspace: await free(root), cache: await free(cacheDir) },
    programs: Object.fromEntries(
      ['docker', 'k3d', 'kubectl', 'java', 'python3', 'mvn', 'npm'].map((name) => [name, findProgram(name) !== undefined]),
    ),
    variables: Object.fromEntries(settings),
    proxies: Object.keys(process.env).filter((name) => /^(https?|all|no)_proxy$/i.test(name)),
  };
}
