import { expect, it } from 'vitest';
import { renderArguments } from '../../../src/playbook/render.js';
import { Secret } from '../../../src/workspace/secret.js';
import { task } from './fakes.js';

const at = (path: readonly PropertyKey[] = []) => `storage.yaml:${path.length}(${path.join('.')})`;

it('fills in every template and leaves the rest as it is', () => {
  const password = new Secret('a-password-of-this-test');
  const one = task('a', {
    with: { port: '{{ ports.kafka }}', fixed: 3, list: ['{{ secrets.a.password }}', { deep: 'on {{ ports.kafka }}' }], none: null },
  });
  expect(renderArguments(one, { ports: { kafka: 19094 }, secrets: { a: { password } } })).toEqual({
    port: 19094,
    fixed: 3,
    list: [password, { deep: 'on 19094' }],
    none: null,
  });
});

it('names a missing variable and the line of the argument that asks for it', () => {
  const one = task('a', { at, with: { list: ['x', { bucket: '{{ config.lake.buket }}' }] } });
  expect(() => renderArguments(one, { config: { lake: { bucket: 'b' } } })).toThrow(
    'storage.yaml:4(with.list.1.bucket): {{ config.lake.buket }} names a value that is not there',
  );
});
