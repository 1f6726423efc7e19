import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { waitUntil } from '../clients/wait.js';
import { componentOf } from '../components/index.js';
import { serverError } from '../errors.js';
import { lastLogLines } from '../runtimes/process/logs.js';
import { probeOnce } from '../runtimes/probe.js';
import { listProcesses } from '../runtimes/process/state.js';
import { isOnKubernetes } from '../workspace/context.js';
import { defineModule, type TaskContext } from './contract.js';

const schema = z.strictObject({ component: z.string() });

/** A server that runs may be busy for so long and is still fine. */
const BUSY_MS = 10_000;
const GLANCE_MS = 3_000;

/** Waits for a component to serve; it makes nothing and removes nothing. */
export const health = defineModule<z.output<typeof schema>>({
  name: 'health',
  summary: 'Waits until a component answers',
  schema,
  timeoutSeconds: 120,

  async observe({ component }, context) {
    const { stack, signal } = context;
    const probe = componentOf(component).probe(stack);
    const glance = stack.orders?.glance === true;
    const deadline = Date.now() + (glance ? GLANCE_MS : BUSY_MS);
    for (;;) {
      const { holds, why } = await probeOnce(probe, signal, glance ? GLANCE_MS : undefined);
      if (holds) return { state: 'in-sync' };
      const isUp = await isRunning(component, context);
      const message = `does not answer yet${why === undefined ? '' : ` (${why})`}`;
      if (isUp && glance && Date.now() > deadline) return { state: 'unknown', reason: message };
      if (!isUp || Date.now() > deadline) return { state: 'missing', message };
      await delay(200, undefined, { signal });
    }
  },

  async apply({ component }, _observation, context) {
    const { stack, waitingFor } = context;
    const probe = componentOf(component).probe(stack);
    waitingFor(probe.description);
    const refuseDead = isOnKubernetes(stack) ? () => Promise.resolve() : () => refuseDeadProcess(component, context);
    const answers = (signal: AbortSignal): Promise<boolean> =>
      waitUntil(async () => (await probeOnce(probe, signal)).holds || (await refuseDead(), false), { what: probe.description, signal });
    if (isOnKubernetes(stack)) await besidePods(component, context, answers);
    else await answers(context.signal);
    return `${component} answers`;
  },
});

async function isRunning(component: string, { stack, signal }: TaskContext): Promise<boolean> {
  if (!isOnKubernetes(stack))
    return (await listProcesses(stack.workspace)).some((state) => state.component === component && state.state === 'running');
  const { podsAreReady } = await import('../components/pods-ready.js');
  // A cluster that cannot be asked has no server that is merely busy.
  return podsAreReady(stack, component, signal).catch(() => false);
}

async function refuseDeadProcess(component: string, { stack }: TaskContext): Promise<void> {
  const dead = (await listProcesses(stack.workspace)).find((state) => state.component === component && state.state === 'dead');
  if (dead === undefined) return;
  const lines = await lastLogLines(stack.workspace, dead.name, 20);
  throw serverError({
    code: 'SERVER_DIED',
    message: `${dead.name} has ended. The last lines of its log:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    hint: `Run \`forge up\` again to start it; the whole log: \`forge logs ${component}\``,
  });
}

/** Waits for an answer, and ends at once where a pod shows that there will be none. */
async function besidePods(
  component: string,
  { stack, signal }: TaskContext,
  answers: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const { awaitPods } = await import('../components/pods-ready.js');
  const over = new AbortController();
  const own = AbortSignal.any([signal, over.signal]);
  const answered = answers(own);
  const failed = awaitPods(stack, component, own).then(() => answered);
  try {
    await Promise.race([answered, failed]);
  } finally {
    over.abort();
    await Promise.allSettled([answered, failed]);
  }
}
