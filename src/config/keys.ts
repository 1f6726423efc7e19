import { z } from 'zod';
import { configSchema } from './schema.js';

/** One setting of forge.yaml. */
export interface ConfigKey {
  path: string[];
  /** `FORGE_COMPONENTS_KAFKA_HEAP` for components.kafka.heap. */
  variable: string;
  description: string | undefined;
  /** Undefined when the key has none. */
  default: unknown;
  type: string;
}

interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
}

/** The JSON schema of forge.yaml (draft 2020-12); keys with a default are optional. */
export const configJsonSchema = (): object => ({ ...z.toJSONSchema(configSchema, { io: 'input' }), title: 'forge.yaml' });

/** Every setting, in the schema's order. */
export function configKeys(): ConfigKey[] {
  return leaves(configJsonSchema() as JsonSchema, []);
}

function leaves(schema: JsonSchema, path: string[]): ConfigKey[] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([key, inner]) => (key === '$schema' ? [] : leaves(inner, [...path, key])));
  return [
    {
      path,
      variable: variableOf(path),
      description: schema.description,
      default: schema.default,
      type: schema.enum?.join(' | ') ?? schema.type ?? 'value',
    },
  ];
}

const variableOf = (path: string[]): string =>
  `FORGE_${path
    .join('_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[-.]/g, '_')
    .toUpperCase()}`;

/** The text of a new forge.yaml: every setting commented out with its default, and the schema named for editors. */
export function initialConfig(schemaFile: string): string {
  const lines = [
    `# yaml-language-server: $schema=${schemaFile}`,
    '# Every key has a default, shown here. Take away a # to change one.',
    '',
  ];
  describe(configJsonSchema() as JsonSchema, 0, lines);
  return lines.join('\n') + '\n';
}

function describe(schema: JsonSchema, depth: number, lines: string[]): void {
  const indent = '  '.repeat(depth);
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    if (key === '$schema') continue;
    if (inner.properties !== undefined) {
      if (Object.keys(inner.properties).length === 0) continue;
      if (inner.description !== undefined) lines.push(`# ${indent}# ${inner.description}`);
      lines.push(`# ${indent}${key}:`);
      describe(inner, depth + 1, lines);
      continue;
    }
    const note = [inner.description, inner.enum === undefined ? undefined : `one of ${inner.enum.join(', ')}`]
      .filter((text) => text !== undefined)
      .join('; ');
    lines.push(`# ${indent}${key}: ${inner.default === undefined ? '' : JSON.stringify(inner.default)}${note === '' ? '' : ` # ${note}`}`);
  }
}
