import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { schemas } from '../../../src/cli/schemas.js';
import { projectRoot } from './run.js';

const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
(formats as unknown as (ajv: Ajv2020) => void)(ajv);

const names = Object.keys(schemas) as (keyof typeof schemas)[];
const shipped = (name: string): object =>
  JSON.parse(readFileSync(path.join(projectRoot, 'schemas', `${name}.schema.json`), 'utf8')) as object;

/** The documents that docs/json.md shows, each under a heading with the schema's name. */
const samples = new Map(
  [...readFileSync(path.join(projectRoot, 'docs', 'json.md'), 'utf8').matchAll(/^## `([\w-]+)`[\s\S]*?```json\n([\s\S]*?)```/gm)].map(
    ([, name, text]) => [name ?? '', JSON.parse(text ?? '') as Record<string, unknown>],
  ),
);

describe('schemas of --json', () => {
  it.each(names)('%s: the shipped file is what the build writes', (name) => {
    expect(shipped(name)).toEqual(JSON.parse(JSON.stringify(z.toJSONSchema(schemas[name], { io: 'output' }))));
  });

  it.each(names)('%s: the documented sample is valid, and a sample that lacks a field is not', (name) => {
    const validate = ajv.compile(shipped(name));
    const sample = samples.get(name);
    expect(sample, 'no sample in docs/json.md').toBeDefined();
    expect(validate(sample), JSON.stringify(validate.errors)).toBe(true);
    const required = (shipped(name) as { required: string[] }).required;
    expect(required.length).toBeGreaterThan(0);
    for (const field of required) expect(validate({ ...sample, [field]: undefined }), field).toBe(false);
  });

  it.each(['up', 'doctor', 'generate-events', 'images-load'] as const)('%s: a result that failed holds its error', (name) => {
    const validate = ajv.compile(shipped(name));
    expect(validate({ ...samples.get(name), ...samples.get('error') }), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...samples.get(name), error: 'text' })).toBe(false);
  });
});
