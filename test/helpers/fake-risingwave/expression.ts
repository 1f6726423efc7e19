import { Refusal, type Reader } from './tokens.js';

export type Type = 'varchar' | 'integer' | 'bigint' | 'numeric' | 'boolean' | 'timestamptz' | 'interval' | 'null';
export type Columns = Record<string, Type>;

const AGGREGATES = ['count', 'sum', 'max', 'min', 'avg'];
const NUMBERS: Type[] = ['integer', 'bigint', 'numeric'];

export const TYPE_NAMES: Record<string, Type> = {
  varchar: 'varchar',
  string: 'varchar',
  integer: 'integer',
  int: 'integer',
  bigint: 'bigint',
  numeric: 'numeric',
  boolean: 'boolean',
  timestamptz: 'timestamptz',
};

export interface Typed {
  type: Type;
  aggregate: boolean;
  column?: string | undefined;
}

const plain = (type: Type): Typed => ({ type, aggregate: false });
const both = (type: Type, a: Typed, b: Typed): Typed => ({ type, aggregate: a.aggregate || b.aggregate });

/** An expression over columns: its type, and whether it sums up rows. */
export function expression(reader: Reader, columns: Columns): Typed {
  let left = comparison(reader, columns);
  while (reader.take('and') || reader.take('or')) {
    const right = comparison(reader, columns);
    if (left.type !== 'boolean' || right.type !== 'boolean') throw new Refusal('Bind error: AND and OR take booleans');
    left = both('boolean', left, right);
  }
  return left;
}

function comparison(reader: Reader, columns: Columns): Typed {
  const left = sum(reader, columns);
  if (reader.take('is', 'not', 'null') || reader.take('is', 'null')) return { ...left, type: 'boolean', column: undefined };
  for (const sign of ['=', '>=', '<=', '<>', '<', '>'])
    if (reader.take(sign)) {
      const right = sum(reader, columns);
      const fit = left.type === right.type || (NUMBERS.includes(left.type) && NUMBERS.includes(right.type));
      if (!fit) throw new Refusal(`Bind error: function does not exist: ${left.type} ${sign} ${right.type}`);
      return both('boolean', left, right);
    }
  return left;
}

function sum(reader: Reader, columns: Columns): Typed {
  let left = primary(reader, columns);
  for (;;) {
    if (!reader.take('-') && !reader.take('+')) return left;
    const right = primary(reader, columns);
    const isTime = left.type === 'timestamptz' && right.type === 'interval';
    if (!isTime && !(NUMBERS.includes(left.type) && NUMBERS.includes(right.type)))
      throw new Refusal(`Bind error: function does not exist: ${left.type} + ${right.type}`);
    left = both(isTime ? 'timestamptz' : left.type, left, right);
  }
}

function primary(reader: Reader, columns: Columns): Typed {
  const value = atom(reader, columns);
  if (!reader.take('::')) return value;
  const type = TYPE_NAMES[reader.identifier()];
  if (type === undefined) throw reader.expected('a data type name');
  return { ...value, type, column: undefined };
}

function atom(reader: Reader, columns: Columns): Typed {
  const token = reader.peek();
  if (token.type === 'string') return (reader.next(), plain('varchar'));
  if (token.type === 'number') return (reader.next(), plain('integer'));
  if (reader.take('(')) {
    const inner = expression(reader, columns);
    reader.expect(')');
    return inner;
  }
  if (reader.take('interval')) return (reader.string(), plain('interval'));
  if (reader.take('null')) return plain('null');
  if (reader.take('true') || reader.take('false')) return plain('boolean');
  if (reader.take('case')) {
    reader.expect('when');
    const condition = expression(reader, columns);
    if (condition.type !== 'boolean') throw new Refusal('Bind error: argument of CASE WHEN must be boolean');
    reader.expect('then');
    const result = expression(reader, columns);
    if (reader.take('else')) expression(reader, columns);
    reader.expect('end');
    return { ...result, column: undefined };
  }
  const name = reader.identifier();
  if (!reader.take('(')) {
    const type = columns[name];
    if (type === undefined) throw new Refusal(`Bind error: failed to bind expression: Item not found: Invalid column: ${name}`);
    return { type, aggregate: false, column: name };
  }
  if (name === 'count' && reader.take('*')) return (reader.expect(')'), { type: 'bigint', aggregate: true });
  const args: Typed[] = [];
  do args.push(expression(reader, columns));
  while (reader.take(','));
  reader.expect(')');
  return call(name, args);
}

function call(name: string, args: Typed[]): Typed {
  const [first, second] = args;
  const of = first!.type;
  const nested = args.some(({ aggregate }) => aggregate);
  if (AGGREGATES.includes(name)) {
    if (nested || args.length !== 1) throw new Refusal('Bind error: aggregate function calls cannot be nested');
    if (name === 'count') return { type: 'bigint', aggregate: true };
    if (name === 'max' || name === 'min') return { type: of, aggregate: true };
    if (NUMBERS.includes(of)) {
      if (name === 'avg') return { type: 'numeric', aggregate: true };
      return { type: of === 'integer' ? 'bigint' : 'numeric', aggregate: true };
    }
  }
  if (name === 'round' && of === 'numeric' && second?.type === 'integer') return { type: 'numeric', aggregate: nested };
  throw new Refusal(`Bind error: function ${name}(${args.map(({ type }) => type).join(', ')}) does not exist`);
}
