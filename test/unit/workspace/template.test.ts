import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/workspace/secret.js';
import { renderTemplate, renderValue } from '../../../src/workspace/template.js';

const TEMPLATES = new URL('../../../templates/', import.meta.url);
const password = new Secret("it's-a-secret");
const values = {
  config: { topic: { name: 'balloon-game', partitions: 3 }, 'with-dash': 'd', empty: '', off: false, unset: undefined },
  secrets: { 'catalog-db': { password } },
  columns: [
    { name: 'player', type: 'text' },
    { name: 'score', type: 'bigint' },
  ],
  map: { a: 1, b: 2 },
  none: [],
};
const at = { file: 'templates/x.sql' };
const render = (text: string): string => renderTemplate(text, values, at).text;

describe('renderTemplate', () => {
  it.each([
    ['{{ config.topic.name }}/{{config.with-dash}}', 'balloon-game/d'],
    ['{{{ config.topic.name }}}<>&', 'balloon-game<>&'],
    ['{{#if config.off}}a{{else if config.topic.partitions}}b{{else}}c{{/if}}', 'b'],
    ['{{#unless config.empty}}a{{/unless}}', 'a'],
    [
      '{{#each columns}}{{name}} {{this.type}} {{../config.topic.partitions}}{{#unless @last}}, {{/unless}}{{/each}}',
      'player text 3, score bigint 3',
    ],
    ['{{#each map as |value key|}}{{key}}={{value}};{{/each}}', 'a=1;b=2;'],
    ['{{#each map}}{{@key}}={{this}};{{/each}}', 'a=1;b=2;'],
    ['{{#each none}}x{{else}}nothing{{/each}}', 'nothing'],
    ['{{sql "it\'s"}}', "'it''s'"],
    ['{{json "say \\ no"}}{{json secrets.catalog-db.password}}', '"say \\\\ no""it\'s-a-secret"'],
    ['{{! not shown }}{{!-- {{nor}} this --}}.', '.'],
    ['a\n{{#if config.topic}}\nb\n{{/if}}\nc', 'a\nb\nc'],
  ])('%s', (template, text) => {
    expect(render(template)).toBe(text);
  });

  it('says whether a secret went in, and quotes it for SQL', () => {
    expect(renderTemplate('{{config.topic.name}}', values, at)).toEqual({ text: 'balloon-game', secret: false });
    expect(renderTemplate('PASSWORD {{sql secrets.catalog-db.password}}', values, at)).toEqual({
      text: "PASSWORD 'it''s-a-secret'",
      secret: true,
    });
    expect(renderTemplate('{{#each secrets}}{{password}}{{/each}}', values, at)).toEqual({ text: "it's-a-secret", secret: true });
  });

  it.each([
    ['a\nb {{ config.topic.nme }}', 'config.topic.nme', 2],
    ['{{ nothing }}', 'nothing', 1],
    ['{{ config.unset }}', 'config.unset', 1],
    ['\n\n{{sql missing}}', 'missing', 3],
    ['\n{{#if missing}}x{{/if}}', 'missing', 2],
    ['{{#each missing}}x{{/each}}', 'missing', 1],
    ['\n{{#each columns}}\n{{nme}}\n{{/each}}', 'nme', 3],
    ['{{ constructor }}', 'constructor', 1],
    ['{{ config.__proto__ }}', 'config.__proto__', 1],
    ['{{ config.topic.toString }}', 'config.topic.toString', 1],
    ['{{ config.topic.name.length }}', 'config.topic.name.length', 1],
    ['{{ secrets.catalog-db.password.reveal }}', 'secrets.catalog-db.password.reveal', 1],
    ['{{ ../config.topic.name }}', '../config.topic.name', 1],
  ])('a name that is not there is an error with file and line: %j', (template, name, line) => {
    expect(() => render(template)).toThrow(
      expect.objectContaining({
        code: 'TEMPLATE_VARIABLE_MISSING',
        exitCode: 2,
        message: expect.stringContaining(`templates/x.sql:${line}: {{ ${name} }}`) as string,
      }),
    );
  });

  it.each([
    ['a\n{{ config.topic.name ', 2],
    ['\n{{#if config}}', 2],
    ['{{#each columns}}{{/if}}', 1],
    ['\n{{ config.topic }}', 2],
    ['\n{{ columns }}', 2],
    ['{{> partial}}', 1],
    ['\n{{ lookup config "topic" }}', 2],
    ['{{#with config}}{{/with}}', 1],
    ['{{#each config.topic.name}}{{/each}}', 1],
    ['{{sql config.topic}}', 1],
    ['{{#if}}x{{/if}}', 1],
  ])('a mistake is an error with file and line: %j', (template, line) => {
    expect(() => render(template)).toThrow(
      expect.objectContaining({
        code: 'TEMPLATE_INVALID',
        exitCode: 2,
        message: expect.stringMatching(new RegExp(`^templates/x\\.sql:${line}: `)) as string,
      }),
    );
  });

  it('values are never read as templates, and stand in the text exactly', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(renderTemplate('<{{value}}>', { value }, at).text).toBe(`<${value}>`);
        expect(renderTemplate('{{sql value}}', { value }, at).text).toBe(`'${value.replaceAll("'", "''")}'`);
      }),
    );
  });

  it.each(readdirSync(TEMPLATES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.sql')))(
    '%s is well formed',
    (file) => {
      const text = readFileSync(new URL(file, TEMPLATES), 'utf8');
      expect(() => renderTemplate(text, {}, { file })).toThrow(expect.objectContaining({ code: 'TEMPLATE_VARIABLE_MISSING' }));
    },
  );
});

describe('renderValue', () => {
  const where = { file: 'playbooks/x/storage.yaml:12:5' };
  const value = (given: unknown): unknown => renderValue(given, values, where);

  it('keeps the type of a value that is one name, at any depth', () => {
    expect(value({ a: ['{{ config.topic.partitions }}', '{{config.off}}', 'x{{config.topic.partitions}}', 7, null] })).toEqual({
      a: [3, false, 'x3', 7, null],
    });
    expect(value('{{ columns }}')).toEqual(values.columns);
    expect(value('{{ secrets.catalog-db.password }}')).toBe(password);
  });

  it('makes a Secret of a text with a secret in it', () => {
    const made = value({ url: 'postgresql://x:{{ secrets.catalog-db.password }}@h' }) as { url: Secret };
    expect(made.url).toBeInstanceOf(Secret);
    expect(made.url.reveal()).toBe("postgresql://x:it's-a-secret@h");
    expect(JSON.stringify(made)).toBe('{"url":"***"}');
  });

  it.each(['{{ config.topic.nme }}', 'x {{ config.topic.nme }}'])('names the place in the playbook: %s', (text) => {
    expect(() => value({ a: [text] })).toThrow(
      expect.objectContaining({
        code: 'TEMPLATE_VARIABLE_MISSING',
        message: 'playbooks/x/storage.yaml:12:5: {{ config.topic.nme }} names a value that is not there',
      }),
    );
  });
});
