import Handlebars from 'handlebars';
import { messageOf, usageError, type ForgeError } from '../errors.js';
import { Secret } from './secret.js';

/** Where a template stands, for errors: a file, or `file:line:column`. */
export interface TemplateSource {
  file: string;
}

const engine = Handlebars.create();
/** `{{sql value}}`: the value as a text constant of SQL. */
engine.registerHelper('sql', (value: unknown) => `'${String(value).replaceAll("'", "''")}'`);

/**
 * Fills in a template (Handlebars, strict, nothing is escaped). `secret` tells whether a secret went into the text.
 * @throws ForgeError TEMPLATE_VARIABLE_MISSING, TEMPLATE_INVALID (exit 2) with file and line
 */
export function renderTemplate(text: string, values: Record<string, unknown>, source: TemplateSource): { text: string; secret: boolean } {
  const touched = { secret: false };
  try {
    const rendered = engine.compile(text, { strict: true, noEscape: true, assumeObjects: false })(revealing(values, touched));
    return { text: rendered, secret: touched.secret };
  } catch (error) {
    throw templateError(text, error, source);
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
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderValue(item, values, source)]));
  }
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

class MissingVariable extends Error {}

/** A view of the values in which secrets are plain text, reading one is noticed, and a name that is not there is an error. */
function revealing(value: unknown, touched: { secret: boolean }, path = ''): unknown {
  if (value instanceof Secret) {
    touched.secret = true;
    return value.reveal();
  }
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    // Handlebars asks before it reads; every name goes on to `get`, which knows the whole path.
    has: () => true,
    get(target, key) {
      const at = path === '' ? String(key) : `${path}.${String(key)}`;
      if (typeof key === 'string' && !Array.isArray(target) && !Object.hasOwn(target, key)) throw new MissingVariable(at);
      return revealing(Reflect.get(target, key) as unknown, touched, at);
    },
  });
}

const missing = (name: string, where: string): ForgeError =>
  usageError({
    code: 'TEMPLATE_VARIABLE_MISSING',
    message: `${where}: {{ ${name} }} names a value that is not there`,
    hint: 'docs/architecture.md lists the values that templates can name',
  });

function templateError(text: string, error: unknown, { file }: TemplateSource): unknown {
  const message = messageOf(error);
  if (error instanceof MissingVariable) {
    const line = text.split('\n').findIndex((it) => it.includes(message)) + 1;
    return missing(message, line === 0 ? file : `${file}:${line}`);
  }
  if (/Parse error|doesn't match|Lexical error/.test(message)) {
    const line = /line (\d+)/.exec(message)?.[1];
    return usageError({
      code: 'TEMPLATE_INVALID',
      message: `${file}${line === undefined ? '' : `:${line}`}: the template is not well formed: ${message.split('\n')[0]}`,
      hint: 'Mend the braces',
    });
  }
  return error;
}
