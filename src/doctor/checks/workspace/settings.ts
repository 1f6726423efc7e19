import { loadConfig } from '../../../config/load.js';
import { ForgeError, messageOf } from '../../../errors.js';
import type { Check, Place, Trouble } from '../../check.js';

/** forge.yaml and the FORGE_ variables. */
export const configInvalid: Check<Place> = {
  id: 'config-invalid',
  group: 'workspace',
  title: 'forge.yaml and the variables hold valid settings',
  async look({ workspace, refused }): Promise<Trouble[]> {
    try {
      const { set } = await loadConfig({ file: workspace.configFile, flags: {}, env: process.env });
      return refused === undefined ? [] : [stackTrouble(refused, set.get('stack'))];
    } catch (error) {
      if (!(error instanceof ForgeError)) throw error;
      const cause = messageOf(error).replace(/^The configuration is not valid:\s*/, '');
      const remedy =
        error.code === 'CONFIG_INVALID'
          ? `Correct what is named (${workspace.configFile}); \`forge init\` in another folder writes a file with every key and what it means`
          : (error.hint ?? '');
      return [{ title: 'The settings are not valid, so no command can work', cause, remedy }];
    }
  },
};

/** A stack that there is not, or whose playbooks are not valid; `from` is the file or the variable that asks for it. */
const stackTrouble = ({ message, hint = '' }: ForgeError, from: string | undefined): Trouble => ({
  title: 'The stack that is asked for cannot be used, so no command can work',
  cause: from === undefined ? message : `${message} (asked for by ${from})`,
  remedy: hint,
});

/** A variable wins over forge.yaml; somebody who set it long ago may wonder. */
export const variablesOverride: Check<Place> = {
  id: 'variables-override',
  group: 'workspace',
  severity: 'warning',
  title: 'No variable stands against forge.yaml',
  needs: ['config-invalid'],
  look: ({ workspace }) => overrides(workspace.configFile, process.env),
};

/** Settings that the file has and a variable changes. */
export async function overrides(file: string, env: NodeJS.ProcessEnv): Promise<Trouble[]> {
  const [own, all] = await Promise.all([loadConfig({ file, flags: {}, env: {} }), loadConfig({ file, flags: {}, env })]);
  const differing = [...all.set].flatMap(([key, from]) => {
    const [inFile, now] = [valueAt(own.config, key), valueAt(all.config, key)];
    return from !== file && own.set.has(key) && inFile !== now ? [{ key, from, inFile, now }] : [];
  });
  if (differing.length === 0) return [];
  return [
    {
      title: 'Variables stand against forge.yaml',
      cause: differing
        .map(({ key, from, inFile, now }) => `${key} is ${String(inFile)} in forge.yaml, and ${from} makes it ${String(now)}`)
        .join('; '),
      remedy: `unset ${differing.map(({ from }) => from).join(' ')}, or change forge.yaml`,
    },
  ];
}

const valueAt = (value: unknown, key: string): unknown =>
  key
    .split('.')
    .reduce<unknown>(
      (inner, part) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[part] : undefined),
      value,
    );
