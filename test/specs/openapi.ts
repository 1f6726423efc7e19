import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';

/** One request and its answer, as they went over the wire. */
export interface Exchange {
  method: string;
  url: URL;
  requestType: string;
  requestBody: string;
  authorized: boolean;
  status: number;
  responseType: string;
  responseBody: string;
}

/** An answer that a server is known to give and its document leaves out. */
export interface Gap {
  operation: string;
  status: number;
  why: string;
}

type Node = Record<string, unknown>;
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

interface Operation {
  id: string;
  method: string;
  pattern: RegExp;
  names: string[];
  parameters: Node[];
  body?: { content: Record<string, string>; required: boolean };
  responses: Map<string, Record<string, string>>;
}

export interface Document {
  /** What is wrong with an exchange; undefined when the document has no such path. */
  check(exchange: Exchange): string[] | undefined;
  /** Operations that were seen, by id. */
  seen: Set<string>;
}

export interface DocumentOptions {
  file: string;
  /** What comes before the document's paths. */
  base: string;
  gaps?: Gap[];
  /** Every field has to be documented, in answers too. */
  strictAnswers: boolean;
}

/** Schemas with a discriminator stand for the one that it names; those build on the plain form. */
function resolveDiscriminators(schemas: Record<string, Node>): void {
  for (const [name, schema] of Object.entries(schemas)) {
    const discriminator = schema['discriminator'] as { propertyName: string; mapping?: Record<string, string> } | undefined;
    if (!discriminator?.mapping) continue;
    const { discriminator: _, ...plain } = schema;
    const own = `#/components/schemas/${name}`;
    schemas[`${name}Plain`] = plain;
    const kinds = Object.entries(discriminator.mapping);
    for (const [, target] of kinds) {
      const sub = schemas[target.split('/').pop()!]!;
      for (const part of (sub['allOf'] as Node[] | undefined) ?? []) if (part['$ref'] === own) part['$ref'] = `${own}Plain`;
    }
    const property = discriminator.propertyName;
    schemas[name] = {
      $ref: `${own}Plain`,
      properties: { [property]: { enum: kinds.map(([kind]) => kind) } },
      allOf: kinds.map(([kind, target]) => ({
        if: { properties: { [property]: { const: kind } }, required: [property] },
        then: { $ref: target },
      })),
    };
  }
}

/** Makes every place where an object stands refuse fields that the document does not have. */
function closeObjects(root: Node): void {
  const target = (schema: Node): Node => {
    let at = schema;
    while (typeof at['$ref'] === 'string')
      at = at['$ref']
        .split('/')
        .slice(1)
        .reduce<Node>((node, key) => node[key] as Node, root);
    return at;
  };
  const describes = (schema: Node): boolean => ['properties', 'allOf', 'anyOf', 'oneOf'].some((key) => key in schema);
  const close = (schema: unknown): void => {
    if (isNode(schema) && describes({ ...target(schema), ...schema })) schema['unevaluatedProperties'] = false;
  };
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (!isNode(value)) return;
    if (isNode(value['properties'])) Object.values(value['properties']).forEach(close);
    if (value['type'] === 'array') close(value['items']);
    if (value['type'] === 'object') close(value['additionalProperties']);
    Object.values(value).forEach(walk);
  };
  walk(root['components']);
}

/** Reads an OpenAPI document (3.0 or 3.1) and checks exchanges against it. */
export function openDocument({ file, base, gaps = [], strictAnswers }: DocumentOptions): Document {
  const root = parse(readFileSync(file, 'utf8')) as Node;
  const components = root['components'] as Record<string, Record<string, Node>>;
  resolveDiscriminators(components['schemas']!);
  const open = structuredClone(root);
  closeObjects(root);
  const ajv = new Ajv2020({ strict: false, allErrors: true, discriminator: false });
  (formats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addSchema(root, 'closed');
  ajv.addSchema(open, 'open');

  const resolve = (node: Node): Node =>
    typeof node['$ref'] === 'string'
      ? resolve(
          node['$ref']
            .split('/')
            .slice(1)
            .reduce<Node>((at, key) => at[key.replaceAll('~1', '/')] as Node, root),
        )
      : node;
  const pointer = (...keys: string[]): string =>
    keys.map((key) => `/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
  const where = (node: Node, path: string): [Node, string] =>
    typeof node['$ref'] === 'string' ? [resolve(node), node['$ref'].slice(1)] : [node, path];
  const contentOf = (node: Node, path: string): Record<string, string> =>
    Object.fromEntries(
      Object.keys((node['content'] as Node | undefined) ?? {}).map((type) => [type, `${path}${pointer('content', type, 'schema')}`]),
    );

  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(root['paths'] as Record<string, Node>))
    for (const [method, raw] of Object.entries(item)) {
      if (!['get', 'put', 'post', 'delete', 'head'].includes(method)) continue;
      const operation = raw as Node;
      const at = pointer('paths', path, method);
      const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name!);
      const body = isNode(operation['requestBody']) ? where(operation['requestBody'], `${at}/requestBody`) : undefined;
      const responses = Object.entries(operation['responses'] as Record<string, Node>).map(([status, node]) => {
        const [response, place] = where(node, `${at}${pointer('responses', status)}`);
        return [status, contentOf(response, place)] as const;
      });
      operations.push({
        id: String(operation['operationId']),
        method: method.toUpperCase(),
        // A catalog without a prefix leaves that segment out.
        pattern: new RegExp(`^${base}${path.replaceAll('/{prefix}', '(?:/([^/]+))?').replaceAll(/\{[^}]+\}/g, '([^/]+)')}$`),
        names,
        parameters: [...((item['parameters'] as Node[] | undefined) ?? []), ...((operation['parameters'] as Node[] | undefined) ?? [])].map(
          resolve,
        ),
        ...(body ? { body: { content: contentOf(...body), required: body[0]['required'] === true } } : {}),
        responses: new Map(responses),
      });
    }

  const validate = (which: 'open' | 'closed', path: string, value: unknown, what: string): string[] => {
    const check = ajv.compile({ $ref: `${which}#${path}`, ...(which === 'closed' ? { unevaluatedProperties: false } : {}) });
    if (check(value)) return [];
    return (check.errors ?? []).map((error) => `${what}${error.instancePath}: ${error.message ?? ''} ${JSON.stringify(error.params)}`);
  };
  const parameter = (node: Node, value: string, what: string): string[] => {
    const schema = resolve((node['schema'] as Node | undefined) ?? {});
    const typed = schema['type'] === 'integer' ? Number(value) : schema['type'] === 'boolean' ? value === 'true' : value;
    return ajv.validate({ ...schema, $ref: undefined }, typed) ? [] : [`${what} is ${value}: ${ajv.errorsText()}`];
  };

  const seen = new Set<string>();
  return {
    seen,
    check(exchange) {
      const fits = operations.filter(({ pattern }) => pattern.test(exchange.url.pathname));
      if (fits.length === 0) return undefined;
      const operation = fits.find(({ method }) => method === exchange.method);
      if (!operation) return [`${exchange.method} is not a method of this path`];
      seen.add(operation.id);
      const problems: string[] = [];
      const values = operation.pattern.exec(exchange.url.pathname)!.slice(1);
      const declared = (place: string) => operation.parameters.filter((node) => node['in'] === place);
      for (const node of declared('path')) {
        const value = values[operation.names.indexOf(String(node['name']))];
        if (value !== undefined) problems.push(...parameter(node, decodeURIComponent(value), `path parameter ${String(node['name'])}`));
      }
      for (const [name, value] of exchange.url.searchParams) {
        const node = declared('query').find((candidate) => candidate['name'] === name);
        problems.push(...(node ? parameter(node, value, `query ${name}`) : [`query ${name} is not documented`]));
      }
      for (const node of declared('query'))
        if (node['required'] === true && !exchange.url.searchParams.has(String(node['name'])))
          problems.push(`query ${String(node['name'])} is missing`);

      const { body } = operation;
      if (exchange.requestBody === '') {
        if (body?.required) problems.push('the request needs a body');
      } else if (!body) problems.push('the request has a body and must have none');
      else {
        const type = exchange.requestType.split(';')[0]!.trim();
        const path = body.content[type];
        const value: unknown =
          type === 'application/x-www-form-urlencoded'
            ? Object.fromEntries(new URLSearchParams(exchange.requestBody))
            : JSON.parse(exchange.requestBody);
        if (path === undefined) problems.push(`content type ${type} is not documented`);
        else problems.push(...validate('closed', path, value, 'request'));
      }

      const family = `${String(exchange.status)[0]}XX`;
      const response =
        operation.responses.get(String(exchange.status)) ?? operation.responses.get(family) ?? operation.responses.get('default');
      if (!response) {
        if (!gaps.some((gap) => gap.operation === operation.id && gap.status === exchange.status))
          problems.push(`status ${exchange.status} is not documented`);
      } else {
        const [type, path] = Object.entries(response)[0] ?? [];
        if (type !== undefined && path !== undefined && exchange.method !== 'HEAD') {
          if (!exchange.responseType.startsWith(type)) problems.push(`the answer is ${exchange.responseType || 'of no type'}, not ${type}`);
          else problems.push(...validate(strictAnswers ? 'closed' : 'open', path, JSON.parse(exchange.responseBody), 'answer'));
        } else if (exchange.status < 300 && exchange.responseBody !== '') problems.push('the answer has a body and must have none');
      }
      return problems;
    },
  };
}
