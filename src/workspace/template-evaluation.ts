import { Secret } from './secret.js';

type Ast = hbs.AST.Node;
type Expression = hbs.AST.Expression;

/** A name that leads nowhere. */
export class MissingVariable extends Error {
  constructor(
    name: string,
    readonly line: number,
  ) {
    super(name);
  }
}

/** Something that these templates do not know. */
export class TemplateMistake extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
  }
}

/** What names mean in a part of a template. */
export interface Scope {
  values: unknown;
  /** `@index` and its like. */
  data: Record<string, unknown>;
  /** `as |item|`. */
  locals: Record<string, unknown>;
  outer: Scope | undefined;
}

const line = (node: Ast): number => node.loc.start.line;
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/**
 * Evaluates what Handlebars parsed. Its own evaluation takes a missing name for an empty text in more places than one
 * (arguments of helpers, what every object inherits), and cannot say in which line a name of a loop was missing.
 */
export class Evaluation {
  /** A secret was read. */
  secret = false;

  program({ body }: hbs.AST.Program, scope: Scope): string {
    return body.map((statement) => this.#statement(statement, scope)).join('');
  }

  #statement(node: hbs.AST.Statement, scope: Scope): string {
    switch (node.type) {
      case 'ContentStatement':
        return (node as hbs.AST.ContentStatement).value;
      case 'CommentStatement':
        return '';
      case 'MustacheStatement': {
        const { path, params } = node as hbs.AST.MustacheStatement;
        return this.#text(params.length === 0 ? this.#value(path, scope) : this.#helper(node, path, params, scope), node, path);
      }
      case 'BlockStatement':
        return this.#block(node as hbs.AST.BlockStatement, scope);
      default:
        throw new TemplateMistake(`${node.type.replace(/Statement$/, '').toLowerCase()}s are not known here`, line(node));
    }
  }

  #block(node: hbs.AST.BlockStatement, scope: Scope): string {
    const name = nameOf(node.path);
    const [subject, ...more] = node.params;
    // A block with only an `else` part has no program, whatever the types say.
    const { program, inverse } = node as { program?: hbs.AST.Program; inverse?: hbs.AST.Program };
    if (!['if', 'unless', 'each'].includes(name))
      throw new TemplateMistake(`there is no block ${name}; there are if, unless, each`, line(node));
    if (subject === undefined || more.length > 0) throw new TemplateMistake(`${name} takes one value`, line(node));
    const value = this.#value(subject, scope);
    const inside = (part: hbs.AST.Program | undefined, inner: Scope): string => (part === undefined ? '' : this.program(part, inner));
    if (name !== 'each') return inside(isTrue(value) === (name === 'if') ? program : inverse, scope);
    if (!isObject(value) || value instanceof Secret) throw new TemplateMistake('each takes a list or a map', line(node));
    const entries = Object.keys(value);
    if (entries.length === 0) return inside(inverse, scope);
    const [item, key] = program?.blockParams ?? [];
    return entries
      .map((name, index) => {
        const locals = { ...(item === undefined ? {} : { [item]: value[name] }), ...(key === undefined ? {} : { [key]: name }) };
        const data = { index, key: name, first: index === 0, last: index === entries.length - 1 };
        return inside(program, { values: value[name], data, locals: { ...scope.locals, ...locals }, outer: scope });
      })
      .join('');
  }

  #helper(node: Ast, path: Expression, params: Expression[], scope: Scope): unknown {
    const name = nameOf(path);
    const quote = QUOTES.get(name);
    if (quote === undefined)
      throw new TemplateMistake(`there is no helper ${name}; there are ${[...QUOTES.keys()].join(', ')}`, line(node));
    if (params.length === 0) throw new TemplateMistake(`${name} takes a value`, line(node));
    return quote(params.map((param) => this.#text(this.#value(param, scope), node, param)).join(''));
  }

  #value(node: Expression, scope: Scope): unknown {
    switch (node.type) {
      case 'StringLiteral':
      case 'NumberLiteral':
      case 'BooleanLiteral':
        return (node as hbs.AST.StringLiteral | hbs.AST.NumberLiteral | hbs.AST.BooleanLiteral).value;
      case 'SubExpression': {
        const { path, params } = node as hbs.AST.SubExpression;
        return this.#helper(node, path, params, scope);
      }
      case 'PathExpression':
        return this.#lookUp(node as hbs.AST.PathExpression, scope);
      default:
        throw new TemplateMistake(`${node.type} is not known here`, line(node));
    }
  }

  #lookUp(node: hbs.AST.PathExpression, scope: Scope): unknown {
    let from: Scope | undefined = scope;
    for (let depth = node.depth; depth > 0; depth--) from = from?.outer;
    const [first] = node.parts;
    const isLocal =
      !node.data && node.depth === 0 && !/^(this|\.)/.test(node.original) && first !== undefined && Object.hasOwn(scope.locals, first);
    let value: unknown = node.data ? from?.data : isLocal ? scope.locals : from?.values;
    for (const part of node.parts) {
      // Only what a value has itself: not what every object or text inherits, and never the inside of a secret.
      if (!isObject(value) || value instanceof Secret || !Object.hasOwn(value, part)) throw new MissingVariable(node.original, line(node));
      value = value[part];
    }
    if (value === undefined || value === null || typeof value === 'function') throw new MissingVariable(node.original, line(node));
    if (value instanceof Secret) this.secret = true;
    return value;
  }

  #text(value: unknown, node: Ast, path: Expression): string {
    if (value instanceof Secret) return value.reveal();
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
      return String(value);
    throw new TemplateMistake(`${nameOf(path)} is ${Array.isArray(value) ? 'a list' : 'a map'}, not a text`, line(node));
  }
}

/** Text constants of other languages, of one value or several in a row; JSON's is one of YAML too. */
const QUOTES = new Map<string, (text: string) => string>([
  ['sql', (text) => `'${text.replaceAll("'", "''")}'`],
  ['json', (text) => JSON.stringify(text)],
]);

const nameOf = (node: Expression): string => (node.type === 'PathExpression' ? (node as hbs.AST.PathExpression).original : 'this value');

/** As Handlebars sees it: an empty text, an empty list and zero are false. */
const isTrue = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value instanceof Secret ? value.reveal() !== '' : Boolean(value);
