import { health } from '../../../src/modules/health.js';
import { processModule } from '../../../src/modules/process.js';
import { stopProcess } from '../../../src/runtimes/process/stop.js';
import { ownStack } from '../../helpers/own-stack.js';
import { contextOf } from '../../helpers/servers.js';
import type { ContractCase } from './types.js';

export const cases: ContractCase[] = [
  {
    module: health,
    title: 'PostgreSQL comes up beside it',
    world: ({ stack }) => ownStack(stack),
    args: () => ({ component: 'postgresql' }),
    meanwhile: async (world) => {
      const args = { component: 'postgresql', process: 'postgresql' };
      const context = contextOf(world);
      const seen = await processModule.observe(args, context);
      if (seen.state === 'missing') await processModule.apply(args, seen, context);
    },
    drift: [
      {
        what: 'stopped',
        make: async ({ stack }) => {
          await stopProcess(stack.workspace, 'postgresql');
        },
      },
    ],
    noUnreachable: 'A server that does not answer is what it waits for',
    noRemove: 'It makes nothing',
    cleanup: (world) => world.close(),
  },
];
