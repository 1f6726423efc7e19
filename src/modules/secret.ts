import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ensureDir } from '../workspace/atomic.js';
import { defineModule, describeDifference, type Difference } from './contract.js';
import { FILE_MODE, FOLDER_MODE, look, ownerDifference } from './credential-file.js';
import { modeDifference } from './local-path.js';

const schema = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'expected lower-case letters, digits and hyphens'),
  fields: z
    .record(z.string().min(1), z.union([z.string(), z.strictObject({ generate: z.int().min(12).max(256) })]))
    .describe('Each field: a fixed text, or {generate: N} for N random letters and digits'),
});
type Args = z.output<typeof schema>;

/** A credential of the workspace. A value that is there is never made anew: servers were told it. */
export const secret = defineModule<Args>({
  name: 'secret',
  summary: 'A credential in .forge/credentials, with random values where none are there; 0600 in a 0700 folder',
  schema,
  timeoutSeconds: 10,

  async observe(args, context) {
    const { file, fields, folderMode, fileEntry } = await look(args.name, context);
    if (fields === undefined) return { state: 'missing', message: `no credential ${args.name}` };
    const diff: Difference[] = [
      ...modeDifference(folderMode ?? 0, FOLDER_MODE, 'mode of the folder'),
      ...modeDifference(fileEntry?.mode ?? 0, FILE_MODE),
      ...ownerDifference(fileEntry?.uid),
      ...Object.entries(args.fields).flatMap(([field, wanted]) => fieldDifference(field, fields[field], wanted)),
    ];
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: `credential ${args.name} (${file}): ${diff.map(describeDifference).join('; ')}`, diff };
  },

  async apply(args, observation, context) {
    const { credentials } = context.stack;
    const { fields = {} } = await look(args.name, context);
    const complete = { ...fields };
    for (const [field, wanted] of Object.entries(args.fields))
      if (typeof wanted === 'string') complete[field] = wanted;
      else complete[field] ??= randomText(wanted.generate);
    await ensureDir(context.stack.workspace.credentials, FOLDER_MODE);
    await credentials.write(args.name, complete);
    return observation.state === 'missing' ? `credential ${args.name} was missing; made` : `${observation.message}; mended`;
  },

  async remove(args, context) {
    await context.stack.credentials.remove(args.name);
  },
});

function fieldDifference(field: string, is: string | undefined, wanted: Args['fields'][string]): Difference[] {
  if (is === undefined) return [{ field, is: 'missing', should: 'there' }];
  return typeof wanted === 'string' && is !== wanted ? [{ field, is: '***', should: 'as the playbook says' }] : [];
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Letters and digits from the platform's CSPRNG, each as likely as the other. */
export const randomText = (length: number): string => Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
