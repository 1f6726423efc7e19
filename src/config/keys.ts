import { configJsonSchema, type JsonSchema } from './json-schema.js';

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

let keys: ConfigKey[] | undefined;

/** Every setting, in the schema's order. */
export const configKeys = (): ConfigKey[] => (keys ??= leaves(configJsonSchema(), []));

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
