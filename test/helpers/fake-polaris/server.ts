import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { catalog } from './catalog.js';
import { badRequest, forbidden, Refusal, type Call, type Reply } from './http.js';
import { management, type Manners } from './management.js';
import { hashOf, parseJson, writeJson, type PrincipalState, type RealmState, type Store } from './state.js';

export interface FakeOptions extends Partial<Manners> {
  store: Store;
  realm?: string;
  /** Tokens of another key are refused; made up when left out, as Polaris does. */
  tokenKey?: string;
  /** What it hands out to who asks for keys to a table's objects. */
  vends?: Record<string, string>;
}

const sign = (key: string, text: string): string => createHmac('sha256', key).update(text).digest('base64url');
const unauthorized = (): Refusal => new Refusal(401, 'NotAuthorizedException', 'Credentials are required to access this resource.');

function issue(key: string, name: string): unknown {
  const payload = Buffer.from(JSON.stringify({ sub: name, exp: Date.now() + 3_600_000, jti: randomBytes(6).toString('hex') })).toString(
    'base64url',
  );
  const issued = 'urn:ietf:params:oauth:token-type:access_token';
  return { access_token: `${payload}.${sign(key, payload)}`, token_type: 'bearer', issued_token_type: issued, expires_in: 3600 };
}

function principalOf(key: string, realm: RealmState, token: string): PrincipalState {
  const [payload = '', signature = ''] = token.split('.');
  const right = Buffer.from(sign(key, payload));
  const given = Buffer.from(signature);
  if (right.length !== given.length || !timingSafeEqual(right, given)) throw unauthorized();
  const { sub, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string; exp: number };
  const principal = realm.principals[sub];
  if (exp < Date.now() || principal === undefined) throw unauthorized();
  return principal;
}

function token(key: string, realm: RealmState, form: URLSearchParams): Reply {
  const refused = (error: string, error_description: string, status = 401): Reply => ({ status, body: { error, error_description } });
  const grant = form.get('grant_type');
  if (grant === 'urn:ietf:params:oauth:grant-type:token-exchange') {
    const { entity } = principalOf(key, realm, form.get('subject_token') ?? '');
    return { status: 200, body: issue(key, entity.name) };
  }
  if (grant !== 'client_credentials') return refused('unsupported_grant_type', 'The grant type is not supported', 400);
  if (!form.get('scope')?.startsWith('PRINCIPAL_ROLE:')) return refused('invalid_scope', 'The scope is invalid', 400);
  const id = form.get('client_id');
  const principal = Object.values(realm.principals).find(({ entity }) => entity.clientId === id);
  if (principal === undefined || principal.secretHash !== hashOf(form.get('client_secret') ?? ''))
    return refused('unauthorized_client', 'The client is not authorized');
  return { status: 200, body: issue(key, principal.entity.name) };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** An HTTP server with Polaris' manners: what forge's own part of Polaris is tested with. */
export function fakePolaris(options: FakeOptions): Server {
  const key = options.tokenKey ?? randomBytes(32).toString('hex');
  const realmName = options.realm ?? 'POLARIS';
  const manners: Manners = { repeated: options.repeated ?? 500 };
  // One at a time: the state is read, changed and written whole.
  let last: Promise<unknown> = Promise.resolve();

  async function answer(request: IncomingMessage): Promise<Reply> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const given = request.headers['polaris-realm'];
    if (given !== undefined && given !== realmName) throw new Refusal(404, 'MissingOrInvalidRealm', 'Missing or invalid realm');
    const raw = await bodyOf(request);
    const realm = await options.store.load();
    if (realm === undefined)
      throw new Refusal(500, 'IllegalStateException', 'Realm is not bootstrapped, please run server in bootstrap mode.');
    const before = JSON.stringify(realm);
    const segments = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
    const type = request.headers['content-type'] ?? '';
    const [api, part, version, ...rest] = segments;
    if (api !== 'api' || version !== 'v1') throw new Refusal(404, 'NotFoundException', 'HTTP 404 Not Found');
    const method = request.method ?? 'GET';

    if (part === 'catalog' && rest.join('/') === 'oauth/tokens' && method === 'POST') {
      if (!type.startsWith('application/x-www-form-urlencoded'))
        throw new Refusal(415, 'NotSupportedException', 'HTTP 415 Unsupported Media Type');
      return token(key, realm, new URLSearchParams(raw));
    }
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (bearer === undefined) throw unauthorized();
    const principal = principalOf(key, realm, bearer);
    if (raw !== '' && !type.startsWith('application/json'))
      throw new Refusal(415, 'NotSupportedException', 'HTTP 415 Unsupported Media Type');
    let body: unknown;
    try {
      body = raw === '' ? undefined : parseJson(raw);
    } catch {
      throw badRequest('the body is no JSON');
    }
    const call: Call = { method, segments: rest, query: url.searchParams, body };
    if (part === 'management' && !principal.roles.includes('service_admin'))
      throw forbidden(`Principal '${principal.entity.name}' is not authorized for op`);
    const reply = part === 'management' ? management(realm, manners, call) : catalog(realm, principal, call);
    if (JSON.stringify(realm) !== before) await options.store.save(realm);
    const isTable = part === 'catalog' && method === 'GET' && rest.length === 5 && rest[3] === 'tables';
    const asksForKeys = request.headers['x-iceberg-access-delegation'] === 'vended-credentials';
    if (!isTable || !asksForKeys || reply.status !== 200) return reply;
    const table = reply.body as { config: Record<string, string> };
    return { ...reply, body: { ...table, config: { ...table.config, ...options.vends } } };
  }

  return createServer((request, response) => {
    const turn = last
      .then(() => answer(request))
      .catch((error: unknown): Reply => {
        if (error instanceof Refusal) return { status: error.status, body: error.body };
        return { status: 500, body: { error: { message: String(error), type: 'RuntimeException', code: 500 } } };
      });
    last = turn;
    void turn.then(({ status, body }) => {
      response.writeHead(status, body === undefined ? {} : { 'content-type': 'application/json' });
      response.end(body === undefined ? undefined : writeJson(body));
    });
  });
}

/** Listens on a free port of the loopback interface; gives the port. */
export function listen(server: Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
