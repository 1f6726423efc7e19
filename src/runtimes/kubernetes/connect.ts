import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { PORT_NAMES } from '../../config/schema.js';
import { ensureDir, writeFileAtomic } from '../../workspace/atomic.js';
import type { StackContext } from '../../workspace/context.js';
import { isAlive, processStartTime } from '../../workspace/identity.js';
import { servicesOf } from '../../workspace/services.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { Forward } from './forward.js';

/** Which ports of this machine a forge command leads into which cluster, for as long as it lives. */
const schema = z.object({
  pid: z.int().min(2),
  startTime: z.string(),
  context: z.string(),
  forwards: z.array(
    z.object({ name: z.string(), port: z.int(), to: z.object({ namespace: z.string(), service: z.string(), port: z.int() }) }),
  ),
});
export type AccessRecord = z.output<typeof schema>;

/** Every port that this machine has for the stack, and the service that it leads to. */
export function forwardsOf(stack: Pick<StackContext, 'catalog' | 'engine' | 'ports'>): Forward[] {
  const services = servicesOf(stack);
  return PORT_NAMES.flatMap((name) => {
    const [to, port] = [services[name], stack.ports[name]];
    return to === undefined || port === undefined
      ? []
      : [{ name, port, to: { namespace: to.namespace, service: to.service, port: to.hostPort } }];
  });
}

type Place = Pick<Workspace, 'run'>;

/** What `forge connect` says of itself. */
const connectFile = ({ run }: Place): string => path.join(run, 'connect.json');
/** What the other commands say, a file each. */
const accessDir = ({ run }: Place): string => path.join(run, 'access');

/** The `forge connect` of this workspace, while it runs. */
export const runningConnect = (workspace: Place): AccessRecord | undefined => readRecord(connectFile(workspace));

/** Whether the addresses of the stack answer only while some command leads them, and none is there to stay. */
export const needsConnect = ({ runtime, config, workspace }: Pick<StackContext, 'runtime' | 'config' | 'workspace'>): boolean =>
  runtime === 'kubernetes' && config.kubernetes.access === 'forward' && runningConnect(workspace) === undefined;

/** Every command that leads ports of this workspace at this moment, `forge connect` first. */
export function accessRecords(workspace: Place): AccessRecord[] {
  const files = existsSync(accessDir(workspace)) ? readdirSync(accessDir(workspace)) : [];
  return [connectFile(workspace), ...files.filter((file) => /^\d+\.json$/.test(file)).map((file) => path.join(accessDir(workspace), file))]
    .map((file) => readRecord(file))
    .filter((record) => record !== undefined);
}

function readRecord(file: string): AccessRecord | undefined {
  try {
    const record = schema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return isAlive(record) ? record : undefined;
  } catch {
    // Not there, or damaged: then nobody can be asked.
    return undefined;
  }
}

/** Notes what this process leads, and gives what takes the note back. Before the first `up` there is no place for it. */
export async function noteAccess(
  workspace: Place,
  { context, forwards, isConnect }: { context: string; forwards: readonly Forward[]; isConnect: boolean },
): Promise<() => Promise<void>> {
  if (!existsSync(workspace.run)) return () => Promise.resolve();
  const file = isConnect ? connectFile(workspace) : path.join(accessDir(workspace), `${process.pid}.json`);
  const record: AccessRecord = { pid: process.pid, startTime: processStartTime(process.pid) ?? '', context, forwards: [...forwards] };
  if (!isConnect) await ensureDir(accessDir(workspace), 0o700);
  await writeFileAtomic(file, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  return () => rm(file, { force: true });
}
