import { rm, rmdir } from 'node:fs/promises';
import { z } from 'zod';
import { lackingError } from '../errors.js';
import { ensureDir, fileError } from '../workspace/atomic.js';
import { defineModule, describeDifference, type TaskContext } from './contract.js';
import { entryAt, insideOf, isInForge, modeDifference, modeSchema, modeText } from './local-path.js';

const schema = z.strictObject({
  path: z.string().min(1).describe('Folder, relative to the workspace'),
  mode: modeSchema.prefault('0700'),
});

async function find({ path }: { path: string }, { stack }: TaskContext) {
  const folder = await insideOf(stack.workspace, path);
  const found = await entryAt(folder);
  if (found !== undefined && found.kind !== 'folder')
    throw lackingError({
      code: 'PATH_OCCUPIED',
      message: `${folder} has to be a folder and is a ${found.kind}`,
      hint: 'Move it away, then run the command again',
    });
  return { folder, found };
}

export const directory = defineModule<z.output<typeof schema>>({
  name: 'directory',
  summary: 'A folder in the workspace, with its mode; removing it removes what is in it only below .forge',
  schema,
  timeoutSeconds: 10,

  async observe(args, context) {
    const { found } = await find(args, context);
    if (found === undefined) return { state: 'missing', message: `no folder ${args.path}` };
    const diff = modeDifference(found.mode, args.mode);
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: `folder ${args.path}: ${diff.map(describeDifference).join('; ')}`, diff };
  },

  async apply(args, observation, context) {
    const { folder } = await find(args, context);
    await ensureDir(folder, args.mode);
    return observation.state === 'missing'
      ? `folder ${args.path} was missing; made`
      : `${observation.message}; set to ${modeText(args.mode)}`;
  },

  async remove(args, context) {
    const { folder, found } = await find(args, context);
    if (found === undefined) return;
    try {
      if (isInForge(context.stack.workspace, folder)) await rm(folder, { recursive: true, force: true });
      else await rmdir(folder);
    } catch (error) {
      // Outside .forge what is still in it is the person's, and stays.
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw fileError(folder, error);
    }
  },
});
