import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configJsonSchema, initialConfigText } from '../../../src/config/json-schema.js';
import { configSchema, DEFAULT_PORTS, IMAGE_NAMES } from '../../../src/config/schema.js';

const validate = new Ajv2020({ strict: false }).compile(configJsonSchema());

describe('the JSON schema of forge.yaml', () => {
  it('is the one in schemas/', () => {
    const shipped = JSON.parse(readFileSync(new URL('../../../schemas/forge.schema.json', import.meta.url), 'utf8')) as unknown;
    expect(configJsonSchema(), 'run npm run build').toEqual(shipped);
  });

  it('takes an empty file and one key alone, and refuses what forge refuses', () => {
    for (const good of [{}, { stack: 'x' }, { ports: { kafka: 1 } }, { components: { kafka: { heap: '1G' } } }]) {
      expect(validate(good), JSON.stringify(good)).toBe(true);
      expect(configSchema.safeParse(good).success).toBe(true);
    }
    for (const bad of [
      { stak: 'x' },
      { ports: { kafka: 70000 } },
      { ports: { kafka: '1' } },
      { catalog: 'hive' },
      { topic: { name: 'a b' } },
    ]) {
      expect(validate(bad), JSON.stringify(bad)).toBe(false);
      expect(configSchema.safeParse(bad).success).toBe(false);
    }
  });

  it('describes every setting', () => {
    const silent: string[] = [];
    const walk = (schema: ReturnType<typeof configJsonSchema>, path: string): void => {
      for (const [key, child] of Object.entries(schema.properties ?? {})) {
        const at = path === '' ? key : `${path}.${key}`;
        if (child.properties) walk(child, at);
        else if (!child.description && path !== 'ports') silent.push(at);
      }
    };
    walk(configJsonSchema(), '');
    expect(silent).toEqual([]);
  });
});

describe('the forge.yaml of forge init', () => {
  const text = initialConfigText('./forge.schema.json');
  const uncommented = text.replaceAll(/^#(?! )/gm, '').replaceAll(/^#(?=  )/gm, '');

  it('names its schema for editors and sets nothing', () => {
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./forge.schema.json');
    expect(parse(text)).toBeNull();
  });

  it('has every key, with its default, and is valid when uncommented', () => {
    const value = parse(uncommented) as Record<string, Record<string, unknown>>;
    expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
    const { ports, components, images, k3d, kubernetes, ...rest } = configSchema.parse(value);
    const defaults = configSchema.parse({});
    expect(ports).toEqual(DEFAULT_PORTS);
    expect(components).toEqual({ ...defaults.components, polaris: { ...defaults.components.polaris, home: '/opt/polaris' } });
    expect(Object.keys(images)).toEqual(['mirror', ...IMAGE_NAMES]);
    expect({ k3d, kubernetes }).toEqual({ k3d: { name: 'balloon-popper' }, kubernetes: { ...defaults.kubernetes, context: 'kind-kind' } });
    const { ports: _ports, components: _components, images: _images, k3d: _k3d, kubernetes: _kubernetes, ...others } = defaults;
    expect(rest).toEqual(others);
    for (const key of Object.keys(configJsonSchema().properties ?? {})) if (key !== '$schema') expect(value).toHaveProperty(key);
  });

  it('says beside a setting what it is for', () => {
    expect(uncommented).toMatch(/^ {4}heap: 192m # Java heap of the broker$/m);
    expect(uncommented).toMatch(/^catalog: auto$/m);
    expect(text).toMatch(/^# Iceberg catalog.*\(auto, polaris, iceberg-rest\)$/m);
  });
});
