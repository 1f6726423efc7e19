/** A request that has been read, with its path cut into decoded segments. */
export interface Call {
  method: string;
  segments: string[];
  query: URLSearchParams;
  body: unknown;
}

export interface Reply {
  status: number;
  body?: unknown;
}

/** An answer that is an error, in the form that Polaris and Iceberg share. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
  ) {
    super(message);
  }

  get body(): unknown {
    return { error: { message: this.message, type: this.type, code: this.status } };
  }
}

export const badRequest = (message: string): Refusal => new Refusal(400, 'BadRequestException', message);
export const notFound = (message: string): Refusal => new Refusal(404, 'NotFoundException', message);
export const exists = (message: string): Refusal => new Refusal(409, 'AlreadyExistsException', message);
export const forbidden = (message: string): Refusal => new Refusal(403, 'ForbiddenException', message);

/** A body must be an object with these keys and no others. */
export function object<Key extends string>(
  body: unknown,
  required: Key[],
  optional: string[] = [],
): Record<Key, unknown> & Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badRequest('a JSON object is needed');
  const keys = Object.keys(body);
  for (const key of required) if (!keys.includes(key)) throw badRequest(`${key} is missing`);
  for (const key of keys) if (!([...required, ...optional] as string[]).includes(key)) throw badRequest(`Unrecognized field "${key}"`);
  return body as Record<Key, unknown> & Record<string, unknown>;
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '') throw badRequest(`${what} must be a text`);
  return value;
}

export function texts(value: unknown, what: string): Record<string, string> {
  const found = Object.entries(object(value ?? {}, [], Object.keys(value ?? {})));
  return Object.fromEntries(found.map(([key, entry]) => [key, text(entry, `${what}.${key}`)]));
}

/** Takes an entry out of a record. */
export const drop = (all: object, name: string): void => void Reflect.deleteProperty(all, name);
