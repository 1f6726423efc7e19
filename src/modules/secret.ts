import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { lackingError } from '../errors.js';
import { ensureDir } from '../workspace/atomic.js';
import { defineModule, type Difference, type TaskContext } from './contract.js';
import { describeDifference, entryAt, modeDifference } from './local-path.js';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

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
    const { file, fields, folderMode, fileEntry } = await look(args, context);
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
    const { fields = {} } = await look(args, context);
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

async function look({ name }: Args, { stack }: TaskContext) {
  const file = stack.credentials.file(name);
  const fileEntry = await entryAt(file);
  if (fileEntry !== undefined && fileEntry.kind !== 'file')
    throw lackingError({
      code: 'CREDENTIAL_UNREADABLE',
      message: `The credential ${file} is a ${fileEntry.kind}, not a file`,
      hint: 'Put the file itself in its place, or remove it and run `forge up`, which makes a new one',
    });
  const read = fileEntry === undefined ? undefined : stack.credentials.read(name);
  const fields = read && Object.fromEntries(Object.entries(read).map(([field, value]) => [field, value.reveal()]));
  return { file, fields, fileEntry, folderMode: (await entryAt(stack.workspace.credentials))?.mode };
}

/** Another owner could read it, or change it. */
function ownerDifference(uid: number | undefined): Difference[] {
  const own = process.getuid?.();
  return uid === undefined || own === undefined || uid === own ? [] : [{ field: 'owner', is: `user ${uid}`, should: `user ${own}` }];
}

function fieldDifference(field: string, is: string | undefined, wanted: Args['fields'][string]): Difference[] {
  if (is === undefined) return [{ field, is: 'missing', should: 'there' }];
  return typeof wanted === 'string' && is !== wanted ? [{ field, is: '***', should: 'as the playbook says' }] : [];
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Letters and digits from the platform's CSPRNG, each as likely as the other. */
export const randomText = (length: number): string => Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
