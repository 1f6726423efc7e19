import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ForgeError, lackingError } from '../../errors.js';
import { holderOf } from '../../workspace/port-holder.js';
import type { Workspace } from '../../workspace/workspace.js';
import { accessRecords, noteAccess, type AccessRecord } from './connect.js';
import { openForwards, type Dial, type Forward, type Forwards } from './forward.js';

export interface AccessRequest {
  workspace: Pick<Workspace, 'run'>;
  context: string;
  forwards: readonly Forward[];
  dial: Dial;
  signal: AbortSignal;
  /** `forge connect` itself. */
  isConnect?: boolean;
}

const TAKE_OVER_MS = 100;
/** For how long a command that leads a port elsewhere may take to notice that the stack has changed. */
const CHANGE_MS = 5_000;

/**
 * Leads ports of this machine into the cluster until it is closed. A port that another forge of this workspace leads to the same
 * place is left to it, and taken over when that one ends.
 * @throws ForgeError PORT_TAKEN (exit 3)
 */
export async function leadPorts(request: AccessRequest): Promise<Forwards> {
  const { workspace, context, forwards, isConnect = false } = request;
  // Noted first: between a bind and its note, another forge would take this one for a stranger.
  const forget = await noteAccess(workspace, { context, forwards, isConnect });
  const end = new AbortController();
  const results = await Promise.allSettled(forwards.map((forward) => share(forward, request, end.signal)));
  const open = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const close = async (): Promise<void> => {
    end.abort();
    await Promise.all(open.map((one) => one.close()));
    await forget();
  };
  const refused = results.find((result) => result.status === 'rejected');
  if (refused === undefined) return { close };
  await close();
  throw refused.reason;
}

async function share(forward: Forward, request: AccessRequest, end: AbortSignal): Promise<Forwards> {
  const deadline = performance.now() + CHANGE_MS;
  for (;;) {
    request.signal.throwIfAborted();
    try {
      return await openForwards([forward], request.dial);
    } catch (error) {
      if (!(error instanceof ForgeError) || error.code !== 'PORT_TAKEN') throw error;
      const other = leaderOf(forward.port, request.workspace);
      if (other === undefined) throw error;
      if (leadsSame(other, forward, request.context)) return takeOver(forward, request, other, end);
      if (performance.now() > deadline) throw ledElsewhere(forward, other);
    }
    await delay(TAKE_OVER_MS, undefined, { signal: request.signal }).catch(() => undefined);
  }
}

/** The forge command of this workspace that holds a port. */
function leaderOf(port: number, workspace: AccessRequest['workspace']): AccessRecord | undefined {
  const leaders = accessRecords(workspace).filter(
    ({ pid, forwards }) => pid !== process.pid && forwards.some((forward) => forward.port === port),
  );
  if (leaders.length === 0) return undefined;
  const holder = holderOf(
    port,
    leaders.map(({ pid }) => pid),
  );
  return holder === undefined ? leaders[0] : leaders.find(({ pid }) => pid === holder.pid);
}

const leadsSame = (other: AccessRecord, forward: Forward, context: string): boolean =>
  other.context === context && other.forwards.some(({ port, to }) => port === forward.port && isDeepStrictEqual(to, forward.to));

/** Uses what another one leads, and goes on by itself once that one is gone. */
function takeOver(forward: Forward, request: AccessRequest, leader: AccessRecord, end: AbortSignal): Forwards {
  const isThere = (): boolean => accessRecords(request.workspace).some(({ pid }) => pid === leader.pid);
  const next = (async (): Promise<Forwards | undefined> => {
    while (!end.aborted && isThere()) await delay(TAKE_OVER_MS, undefined, { signal: end, ref: false }).catch(() => undefined);
    // A stranger may have been faster: then its answers are what they are, and the command's own errors tell.
    return end.aborted ? undefined : share(forward, { ...request, signal: end }, end).catch(() => undefined);
  })();
  return { close: async () => (await next)?.close() };
}

const ledElsewhere = ({ name, port }: Forward, { pid, context }: AccessRecord): ForgeError =>
  lackingError({
    code: 'PORT_TAKEN',
    message: `Port ${port} on this machine (${name}) is led to another place (context ${context}) by a forge command of this workspace, process ${pid}`,
    hint: `End that command (kill ${pid}), then run this one again`,
  });
