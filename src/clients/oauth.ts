import { serverError } from '../errors.js';
import { Secret } from '../workspace/secret.js';
import { request, type HttpAnswer } from './http.js';

export interface ClientCredentials {
  clientId: Secret;
  clientSecret: Secret;
}

export interface TokenOptions {
  /** `http://127.0.0.1:18181/api/catalog/v1/oauth/tokens` */
  url: string;
  /** Read at every use: credentials may be reset while forge runs. */
  credentials: () => ClientCredentials;
  headers?: Record<string, string>;
  /** For the error: `.forge/credentials/polaris-root.json`. */
  from: string;
}

export interface TokenSource {
  /** A token that holds for at least half a minute. Throws CATALOG_CREDENTIALS_REFUSED. */
  get(signal?: AbortSignal): Promise<Secret>;
  /** The server refused the token: the next `get` asks for a new one. */
  forget(): void;
}

const MARGIN_MS = 30_000;

/** Asks for a token with client credentials (OAuth2); false when the server refuses them. */
export async function askForToken(options: TokenOptions, signal?: AbortSignal): Promise<{ token: Secret; expiresInMs: number } | false> {
  const { clientId, clientSecret } = options.credentials();
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId.reveal(),
    client_secret: clientSecret.reveal(),
    scope: 'PRINCIPAL_ROLE:ALL',
  });
  const headers = { ...options.headers, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const answer = await request(options.url, { method: 'POST', headers, body: new Secret(form.toString()), ...(signal && { signal }) });
  if (answer.status === 401 || (answer.status === 400 && /invalid_client|unauthorized_client/.test(answer.text))) return false;
  if (!answer.ok) throw tokenError(options.url, answer);
  const { access_token: token, expires_in: seconds } = answer.json<{ access_token: string; expires_in?: number }>();
  return { token: new Secret(token), expiresInMs: (seconds ?? 3600) * 1000 };
}

function tokenError(url: string, answer: HttpAnswer) {
  return serverError({
    code: 'CATALOG_TOKEN_FAILED',
    message: `The catalog on ${new URL(url).host} answered ${answer.status} to a request for a token: ${answer.text.slice(0, 200) || '(empty)'}`,
    hint: 'See `forge logs polaris`',
  });
}

/** Tokens for one server, kept until shortly before they expire or the credentials change. */
export function tokenSource(options: TokenOptions): TokenSource {
  let kept: { token: Secret; until: number; by: string } | undefined;
  let asking: { answer: Promise<Secret>; by: string } | undefined;

  const ask = async (by: string, signal?: AbortSignal): Promise<Secret> => {
    const answer = await askForToken(options, signal);
    if (answer === false) {
      throw serverError({
        code: 'CATALOG_CREDENTIALS_REFUSED',
        message: `The catalog on ${new URL(options.url).host} refuses the credentials in ${options.from}`,
        hint: 'Run `forge up`: it resets what it can and says what it cannot',
      });
    }
    kept = { token: answer.token, until: performance.now() + answer.expiresInMs - MARGIN_MS, by };
    return answer.token;
  };

  return {
    async get(signal) {
      const { clientId, clientSecret } = options.credentials();
      const by = `${clientId.reveal()} ${clientSecret.reveal()}`;
      if (kept?.by === by && performance.now() < kept.until) return kept.token;
      // Tasks run side by side: one request serves them all, and one that was aborted serves nobody else.
      if (asking?.by === by) return asking.answer.catch(() => ask(by, signal));
      const answer = ask(by, signal);
      asking = { answer, by };
      try {
        return await answer;
      } finally {
        // Somebody with newer credentials may be asking by now.
        asking = (asking as typeof asking | undefined)?.answer === answer ? undefined : asking;
      }
    },
    forget() {
      kept = undefined;
    },
  };
}
