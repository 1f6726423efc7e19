import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';

const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
(formats as unknown as (ajv: Ajv2020) => void)(ajv);

/** Fails the test when a document is not what the shipped schema of this name says. */
export function expectShape(name: string, document: unknown): void {
  const schema = JSON.parse(readFileSync(join(packageRoot(), 'schemas', `${name}.schema.json`), 'utf8')) as { $id?: string };
  const validate = (schema.$id === undefined ? undefined : ajv.getSchema(schema.$id)) ?? ajv.compile(schema);
  expect(validate(document), `${JSON.stringify(validate.errors)} in ${JSON.stringify(document)}`).toBe(true);
}
