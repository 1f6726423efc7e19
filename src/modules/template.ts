import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, usageError } from '../errors.js';
import { renderTemplate } from '../workspace/template.js';
import { templateValues } from '../workspace/values.js';
import { defineModule, type TaskContext } from './contract.js';
import { applyFile, observeFile, removeFile, type WantedFile } from './local-file.js';
import { insideOf, isInForge, modeSchema } from './local-path.js';

const schema = z.strictObject({
  template: z.string().min(1).describe("File below forge's own templates/"),
  to: z.string().min(1).describe('File below .forge/generated, or one that starts with .forge/'),
  mode: modeSchema.prefault('0600'),
  values: z.record(z.string(), z.unknown()).default({}).describe('Values beside those of the stack'),
});
type Args = z.output<typeof schema>;

/**
 * A file below templates/, filled in with the values of the stack and those given.
 * @throws ForgeError TEMPLATE_MISSING, TEMPLATE_VARIABLE_MISSING, TEMPLATE_INVALID (exit 2)
 */
export async function readTemplate(
  { stack }: Pick<TaskContext, 'stack'>,
  template: string,
  values: Record<string, unknown>,
): Promise<{ text: string; secret: boolean }> {
  const folder = path.join(stack.packageRoot, 'templates');
  const source = path.resolve(folder, template);
  if (!source.startsWith(folder + path.sep)) throw noTemplate(template, 'it is not below templates/');
  const text = await readFile(source, 'utf8').catch((error: unknown) => {
    throw noTemplate(template, messageOf(error));
  });
  // Read all of them, so that they are masked where the file of before still has one.
  for (const name of stack.credentials.names()) stack.credentials.read(name);
  return renderTemplate(text, { ...templateValues(stack), ...values }, { file: `templates/${template}` });
}

async function wanted(args: Args, context: TaskContext): Promise<WantedFile> {
  const rendered = await readTemplate(context, args.template, args.values);
  const file = await target(args, context.stack.workspace);
  return { name: nameOf(args), file, text: rendered.text, secret: rendered.secret ? 'parts' : 'none', mode: args.mode };
}

const nameOf = ({ to }: Args): string => (isFromForge(to) ? to : `.forge/generated/${to}`);
const isFromForge = (to: string): boolean => to.startsWith('.forge/') || path.isAbsolute(to);

async function target(args: Args, workspace: TaskContext['stack']['workspace']): Promise<string> {
  const file = await (isFromForge(args.to) ? insideOf(workspace, args.to) : insideOf(workspace, args.to, workspace.generated));
  if (isInForge(workspace, file)) return file;
  throw usageError({
    code: 'PATH_OUTSIDE',
    message: `${args.to} is not inside .forge`,
    hint: 'Generated files belong there: correct the playbook',
  });
}

const noTemplate = (name: string, why: string) =>
  usageError({ code: 'TEMPLATE_MISSING', message: `There is no template ${name}: ${why}`, hint: 'Correct the path in the playbook' });

export const template = defineModule<Args>({
  name: 'template',
  summary: 'A file in .forge/generated, filled in from one of the templates; secrets in it are masked wherever it is shown',
  schema,
  timeoutSeconds: 10,
  observe: async (args, context) => observeFile(await wanted(args, context)),
  apply: async (args, observation, context) => applyFile(await wanted(args, context), observation),
  remove: async (args, context) => removeFile(await target(args, context.stack.workspace)),
});
