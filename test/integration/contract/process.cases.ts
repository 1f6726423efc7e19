import { rm } from 'node:fs/promises';
import { processModule } from '../../../src/modules/process.js';
import { waitUntil } from '../../../src/clients/wait.js';
import { processState, runFile } from '../../../src/runtimes/process/state.js';
import { ownStack } from '../../helpers/own-stack.js';
import type { TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const state = ({ stack }: TestWorld) => processState(stack.workspace, 'postgresql');

async function kill(world: TestWorld): Promise<void> {
  const { pids } = await state(world);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await waitUntil(async () => (await state(world)).state === 'dead', { what: 'PostgreSQL to be dead', timeoutMs: 5000 });
}

export const cases: ContractCase[] = [
  {
    module: processModule,
    title: 'PostgreSQL',
    world: ({ stack }) => ownStack(stack),
    args: () => ({ component: 'postgresql', process: 'postgresql' }),
    drift: [
      { what: 'killed', make: kill },
      {
        what: 'its settings changed',
        make: async ({ stack }) => void (stack.config.components.postgresql.sharedBuffers = '16m'),
      },
      {
        what: 'its credential was made anew',
        make: ({ stack }) => stack.credentials.write('postgresql', { username: 'forge', password: 'another-password' }),
      },
      {
        what: 'killed, and its run file lost',
        make: async (world) => {
          await kill(world);
          await rm(runFile(world.stack.workspace, 'postgresql'));
        },
      },
    ],
    noUnreachable: 'It asks this machine for its processes',
    cleanup: (world) => world.close(),
  },
];
