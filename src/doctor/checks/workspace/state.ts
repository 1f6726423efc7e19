import { loadConfig } from '../../../config/load.js';
import { ForgeError, messageOf } from '../../../errors.js';
import { readKept } from '../../../workspace/kept.js';
import { selectionChanges } from '../../../workspace/open.js';
import type { Check, Place, Trouble } from '../../check.js';

/** What `up` noted of its choices. */
export const stateDamaged: Check<Place> = {
  id: 'state-damaged',
  group: 'workspace',
  title: 'What `forge up` was told can be read',
  look({ workspace }): Promise<Trouble[]> {
    try {
      readKept(workspace);
      return Promise.resolve([]);
    } catch (error) {
      if (!(error instanceof ForgeError)) throw error;
      const title = error.code === 'STATE_NEWER' ? 'This workspace belongs to a newer forge' : 'The notes of `forge up` are damaged';
      return Promise.resolve([{ title, cause: messageOf(error), remedy: error.hint ?? '' }]);
    }
  },
};

/** Another engine or catalog than the one that is up makes everything else look wrong: so it is the root. */
export const selectionChanged: Check = {
  id: 'selection-changed',
  group: 'workspace',
  title: 'What is asked for is what is up',
  async look({ stack }): Promise<Trouble[]> {
    const changed = selectionChanges(stack, readKept(stack.workspace));
    if (changed.length === 0) return [];
    const { set } = await loadConfig({ file: stack.workspace.configFile, flags: {}, env: process.env });
    const told = changed.map(({ key, from: was, to }) => {
      const from = set.get(key === 'context' ? 'kubernetes.context' : key);
      const by = from === undefined ? '' : ` (${from === stack.workspace.configFile ? 'forge.yaml' : from})`;
      return `${key} is ${was}, and ${to} is asked for${by}`;
    });
    return [
      {
        title: 'Another stack is asked for than the one that is up',
        cause: told.join('; '),
        remedy: '`forge up` changes the stack after asking; or take the setting back (unset the variable, or correct forge.yaml)',
      },
    ];
  },
};
