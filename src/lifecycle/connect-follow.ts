import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { connectKubernetes } from '../clients/kubernetes.js';
import { ForgeError, messageOf } from '../errors.js';
import { forwardsOf } from '../runtimes/kubernetes/connect.js';
import type { Forward } from '../runtimes/kubernetes/forward.js';
import { followReady } from '../runtimes/kubernetes/service.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import type { StackContext } from '../workspace/context.js';
import { keptFile } from '../workspace/kept.js';
import type { Workspace } from '../workspace/workspace.js';
import type { ConnectOptions } from './connect.js';
import { openSession, type Session, type SessionOptions } from './session.js';

/** How often is looked whether the stack has changed or was taken down. */
const LOOK_MS = 500;
const AGAIN_MS = 2_000;

/** Whether there is nothing left to lead to. */
export const isOver = ({ isKnown, stack }: Session): boolean => !isKnown || stack.runtime !== 'kubernetes' || stack.context === undefined;

/** Tells what each port leads to; a cluster that does not answer is asked again until it does. */
export async function followPods(
  stack: StackContext,
  forwards: Forward[],
  end: AbortSignal,
  { onChange, note }: Pick<ConnectOptions, 'onChange' | 'note'>,
): Promise<void> {
  const known = new Map<string, string[]>();
  let trouble: string | undefined;
  const isEnded = (): boolean => end.aborted;
  while (!isEnded()) {
    try {
      const client = await connectKubernetes(kubeTarget(stack));
      await followReady(client, forwards, end, ({ name }, pods) => {
        if (trouble !== undefined) note('The cluster answers again.');
        trouble = undefined;
        if (isDeepStrictEqual(known.get(name), pods)) return;
        known.set(name, pods);
        onChange({ name, pods });
      });
    } catch (error) {
      if (isEnded()) return;
      if (!(error instanceof ForgeError)) throw error;
      const text = messageOf(error);
      if (text !== trouble) note(text);
      trouble = text;
      await delay(AGAIN_MS, undefined, { signal: end }).catch(() => undefined);
    }
  }
}

/** Until the ports of the stack, or its cluster, are others than these. */
export async function untilChanged(stack: StackContext, forwards: Forward[], options: SessionOptions, end: AbortSignal): Promise<void> {
  let seen = stampOf(stack.workspace);
  const isEnded = (): boolean => end.aborted;
  while (!isEnded()) {
    await delay(LOOK_MS, undefined, { signal: end }).catch(() => undefined);
    const now = stampOf(stack.workspace);
    if (now === seen || isEnded()) continue;
    seen = now;
    const session = await openSession(options);
    if (isOver(session) || session.stack.context !== stack.context || !isDeepStrictEqual(forwardsOf(session.stack), forwards)) return;
  }
}

function stampOf(workspace: Workspace): string {
  const found = statSync(keptFile(workspace), { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino} ${found.mtimeMs}`;
}
