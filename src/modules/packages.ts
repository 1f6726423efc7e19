import { z } from 'zod';
import { defineModule, type Observation } from './contract.js';
import type { SetProgress } from '../runtimes/process/install/install.js';

const schema = z.strictObject({
  sets: z.array(z.string()).min(1).describe('Names of sets in packages.yaml'),
});
type Args = z.output<typeof schema>;

/** Server packages in the shared cache. The cache outlives every workspace, so that the next `up` downloads nothing: there is no remove. */
export const packages = defineModule<Args>({
  name: 'packages',
  summary: 'Sets of server packages (Maven, pip, npm) of packages.yaml, installed in the cache that all workspaces share',
  schema,
  timeoutSeconds: 3600,

  async observe({ sets }, { stack }): Promise<Observation> {
    const { loadPackages, pickSets } = await import('../runtimes/process/install/definition.js');
    const { isInstalled } = await import('../runtimes/process/install/installed.js');
    const wanted = pickSets(await loadPackages(stack.packageRoot), sets);
    const missing = wanted.filter((set) => !isInstalled(stack.cacheDir, set));
    return missing.length === 0 ? { state: 'in-sync' } : { state: 'missing', message: `${titles(missing)} not installed` };
  },

  async apply({ sets }, _observation, { stack, signal, progress, waitingFor }): Promise<string> {
    const { loadPackages, pickSets } = await import('../runtimes/process/install/definition.js');
    const { toolchainFor } = await import('../runtimes/process/install/require.js');
    const { installSets } = await import('../runtimes/process/install/install.js');
    const loaded = await loadPackages(stack.packageRoot);
    const wanted = pickSets(loaded, sets);
    const toolchain = await toolchainFor(loaded, wanted, [], stack.cacheDir);
    waitingFor(`${titles(wanted)} to be downloaded`);
    const onProgress = (state: readonly SetProgress[]): void => progress(progressText(state));
    const done = await installSets(loaded, wanted, { cacheDir: stack.cacheDir, toolchain, signal, onProgress });
    const made = wanted.filter((set) => done[set.name]?.installed);
    return made.length === 0 ? 'installed meanwhile by another forge' : `${titles(made)} installed`;
  },
});

const titles = (sets: { definition: { title: string; version: string } }[]): string =>
  sets.map(({ definition }) => `${definition.title} ${definition.version}`).join(', ');

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

/** `121 of 540 MB (Apache Kafka 12 of 54, LocalStack compiling bytecode)`; what is done is left out of the parentheses. */
export function progressText(state: readonly SetProgress[]): string {
  const done = (one: SetProgress): number => Math.min(one.doneBytes, one.totalBytes);
  const sum = (pick: (one: SetProgress) => number): number => state.reduce((total, one) => total + pick(one), 0);
  const parts = state
    .filter((one) => one.doing !== '' || one.doneBytes < one.totalBytes)
    .map(
      (one) => `${one.set.definition.title} ${one.doing === '' ? `${megabytes(done(one))} of ${megabytes(one.totalBytes)}` : one.doing}`,
    );
  return `${megabytes(sum(done))} of ${megabytes(sum((one) => one.totalBytes))} MB${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
}
