import { z } from 'zod';
import { configSchema } from './schema.js';

/** The part of a JSON schema that forge.yaml's keys need. */
export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  [keyword: string]: unknown;
}

/** The JSON schema of forge.yaml, as it is written: every key may be left out. `npm run build` writes it to schemas/. */
export const configJsonSchema = (): JsonSchema => z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;

/**
 * The forge.yaml that `forge init` writes: every key with its default and what it is for, commented out. A line that begins
 * with `#` and no blank is a setting; the others are prose.
 */
export function initialConfigText(schemaRef: string): string {
  const { properties = {} } = configJsonSchema();
  const sections = Object.entries(properties)
    .filter(([key]) => key !== '$schema')
    .map(([key, schema]) => sectionText(key, schema));
  return [
    `# yaml-language-server: $schema=${schemaRef}`,
    '# Settings of forge. Each line shows a default: take away its `#` (and that of the line above it that it belongs to) to change it.',
    '# Flags win over the variables FORGE_*, those over this file.',
    '',
    ...sections,
  ].join('\n');
}

function sectionText(key: string, schema: JsonSchema): string {
  const prose = schema.description === undefined ? [] : [`# ${schema.description}${choices(schema)}`];
  const settings = lines(key, { ...schema, description: undefined, enum: undefined }, 0).map((line) => `#${line}`);
  return [...prose, ...settings, ''].join('\n');
}

function lines(key: string, schema: JsonSchema, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const inner = Object.entries(schema.properties ?? {});
  if (schema.properties !== undefined && inner.length === 0) return [];
  if (inner.length > 0) return [`${indent}${key}:`, ...inner.flatMap(([name, child]) => lines(name, child, depth + 1))];
  const about = `${schema.description ?? ''}${choices(schema)}`;
  // JSON is YAML; a text that YAML reads as one needs no quotes.
  const value: unknown = schema.default ?? schema.examples?.[0];
  const text = typeof value === 'string' && /^[\w/][\w./-]*$/.test(value) && Number.isNaN(Number(value)) ? value : JSON.stringify(value);
  return [`${indent}${key}: ${text}${about === '' ? '' : ` # ${about}`}`];
}

const choices = ({ enum: options }: JsonSchema): string => (options === undefined ? '' : ` (${options.join(', ')})`);
