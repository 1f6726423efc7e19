import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { waitUntil } from '../clients/wait.js';
import { componentOf } from '../components/index.js';
import { serverError } from '../errors.js';
import { lastLogLines } from '../runtimes/process/logs.js';
import { probeOnce } from '../runtimes/process/ready.js';
import { listProcesses } from '../runtimes/process/state.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({ component: z.string() });

/** A server that runs may be busy for so long and is still fine. */
const BUSY_MS = 10_000;

/** Waits for a component to serve; it makes nothing and removes nothing. */
export const health = defineModule<z.output<typeof schema>>({
  name: 'health',
  summary: 'Waits until a component answers',
  schema,
  timeoutSeconds: 120,

  async observe({ component }, { stack, signal }) {
    const probe = componentOf(component).probe(stack);
    const deadline = Date.now() + BUSY_MS;
    for (;;) {
      const { holds, why } = await probeOnce(probe, signal);
      if (holds) return { state: 'in-sync' };
      const isRunning = (await listProcesses(stack.workspace)).some((state) => state.component === component && state.state === 'running');
      if (!isRunning || Date.now() > deadline)
        return { state: 'missing', message: `does not answer yet${why === undefined ? '' : ` (${why})`}` };
      await delay(200, undefined, { signal });
    }
  },

  async apply({ component }, _observation, { stack, signal, waitingFor }) {
    const probe = componentOf(component).probe(stack);
    waitingFor(probe.description);
    const holds = async (): Promise<boolean> => {
      if ((await probeOnce(probe, signal)).holds) return true;
      const dead = (await listProcesses(stack.workspace)).find((state) => state.component === component && state.state === 'dead');
      if (dead === undefined) return false;
      const lines = await lastLogLines(stack.workspace, dead.name, 20);
      throw serverError({
        code: 'SERVER_DIED',
        message: `${dead.name} has ended. The last lines of its log:\n${lines.map((line) => `  ${line}`).join('\n')}`,
        hint: `Run \`forge up\` again to start it; the whole log: \`forge logs ${component}\``,
      });
    };
    await waitUntil(holds, { what: probe.description, signal });
    return `${component} answers`;
  },
});
