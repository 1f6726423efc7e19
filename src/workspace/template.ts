import Handlebars from 'handlebars';
import { messageOf, usageError, type ForgeError } from '../errors.js';
import { Evaluation, MissingVariable, TemplateMistake } from './template-evaluation.js';
import { Secret } from './secret.js';

/** Where a template stands, for errors: a file, or `file:line:column`. */
export interface TemplateSource {
  file: string;
}

/**
 * Fills in a template. The language is that of Handlebars: `{{ path }}`, `{{sql path}}` (a text constant of SQL), `{{json path}}`
 * (one of JSON and YAML; both also of several values in a row), if, unless and each; nothing is escaped, and a name that is not there is an error wherever it
 * stands. `secret` tells whether a secret was read.
 * @throws ForgeError TEMPLATE_VARIABLE_MISSING, TEMPLATE_INVALID (exit 2) with file and line
 */
export function renderTemplate(text: string, values: Record<string, unknown>, source: TemplateSource): { text: string; secret: boolean } {
  try {
    const evaluation = new Evaluation();
    const rendered = evaluation.program(Handlebars.parse(text), { values, data: {}, locals: {}, outer: undefined });
    return { text: rendered, secret: evaluation.secret };
  } catch (error) {
    throw templateError(error, source);
  }
}

const WHOLE = /^\{\{\s*([\w-]+(?:\.[\w-]+)*)\s*\}\}$/;

/**
 * Fills in the templates inside a playbook value. A text that is exactly one `{{ path }}` becomes that value with its type;
 * a longer text with a secret in it becomes a Secret.
 */
export function renderValue(value: unknown, values: Record<string, unknown>, source: TemplateSource): unknown {
  if (typeof value === 'string') return renderString(value, values, source);
  if (Array.isArray(value)) return value.map((item) => renderValue(item, values, source));
  if (typeof value === 'object' && value !== null && !(value instanceof Secret))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderValue(item, values, source)]));
  return value;
}

function renderString(text: string, values: Record<string, unknown>, source: TemplateSource): unknown {
  if (!text.includes('{{')) return text;
  const path = WHOLE.exec(text)?.[1];
  if (path === undefined) {
    const rendered = renderTemplate(text, values, source);
    return rendered.secret ? new Secret(rendered.text) : rendered.text;
  }
  let at: unknown = values;
  for (const part of path.split('.')) {
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? (at as Record<string, unknown>)[part] : undefined;
    if (at === undefined || at === null) throw missing(path, source.file);
  }
  return at;
}

const missing = (name: string, where: string): ForgeError =>
  usageError({
    code: 'TEMPLATE_VARIABLE_MISSING',
    message: `${where}: {{ ${name} }} names a value that is not there`,
    hint: 'docs/architecture.md lists the values that templates can name',
  });

/** A place in a playbook is exact already; in a template file the line is added. */
function templateError(error: unknown, { file }: TemplateSource): unknown {
  const at = (line: number | undefined): string => (line === undefined || /:\d+$/.test(file) ? file : `${file}:${line}`);
  if (error instanceof MissingVariable) return missing(error.message, at(error.line));
  const isParser = error instanceof Error && /Parse error|doesn't match|Lexical error|must be|Invalid path/.test(error.message);
  if (!(error instanceof TemplateMistake) && !isParser) return error;
  const line = error instanceof TemplateMistake ? error.line : Number(/line (\d+)| - (\d+):/.exec(error.message)?.slice(1).find(Boolean));
  const why = messageOf(error).replace(/^Parse error on line \d+:\n/, '');
  return usageError({
    code: 'TEMPLATE_INVALID',
    message: `${at(line || undefined)}: the template is not well formed: ${why.split('\n')[0] ?? ''}`,
    hint: 'Correct what stands in braces there',
    cause: error,
  });
}
