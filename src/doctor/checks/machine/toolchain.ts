import { ForgeError } from '../../../errors.js';
import { requireToolchain } from '../../../runtimes/process/install/require.js';
import type { Check, Trouble } from '../../check.js';

/** Java, and what installs the packages that are not installed yet. */
export const toolchainMissing: Check = {
  id: 'toolchain-missing',
  group: 'machine',
  title: 'The programs that start and install the servers are there',
  seconds: 15,
  concerns: ({ stack }) => stack.runtime === 'process',
  async look({ stack }): Promise<Trouble[]> {
    try {
      await requireToolchain(stack);
      return [];
    } catch (error) {
      if (!(error instanceof ForgeError) || error.code !== 'MISSING_TOOLS') throw error;
      const [remedy] = (error.hint ?? '').split('\n');
      return [
        {
          title: 'This machine lacks programs that the servers need',
          cause: error.message.split('\n').slice(1).join('\n').replace(/^ +- /gm, ''),
          remedy: remedy === undefined || remedy === '' ? 'Install them' : remedy,
        },
      ];
    }
  },
};
