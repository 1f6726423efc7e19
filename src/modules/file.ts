import { z } from 'zod';
import { Secret } from '../workspace/secret.js';
import { defineModule, type TaskContext } from './contract.js';
import { applyFile, observeFile, removeFile, type WantedFile } from './local-file.js';
import { insideOf, modeSchema } from './local-path.js';

const schema = z.strictObject({
  path: z.string().min(1).describe('File, relative to the workspace'),
  content: z.union([z.string(), z.instanceof(Secret)]),
  mode: modeSchema.prefault('0600'),
});
type Args = z.output<typeof schema>;

async function wanted({ path, content, mode }: Args, { stack }: TaskContext): Promise<WantedFile> {
  const secret = content instanceof Secret;
  return {
    name: path,
    file: await insideOf(stack.workspace, path),
    text: secret ? content.reveal() : content,
    secret: secret ? 'whole' : 'none',
    mode,
  };
}

export const file = defineModule<Args>({
  name: 'file',
  summary: 'A file in the workspace with this text and mode',
  schema,
  timeoutSeconds: 10,
  observe: async (args, context) => observeFile(await wanted(args, context)),
  apply: async (args, observation, context) => applyFile(await wanted(args, context), observation),
  remove: async (args, context) => removeFile(await insideOf(context.stack.workspace, args.path)),
});
