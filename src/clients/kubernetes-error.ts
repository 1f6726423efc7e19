import { ExitCode, ForgeError, type ForgeErrorOptions } from '../errors.js';
import { redact } from '../workspace/secret.js';
import { errorCode, reasonOf } from './http.js';

/** What the API server says of a request that it refuses. */
export interface KubeStatus {
  message?: string;
  reason?: string;
  details?: { causes?: StatusCause[]; retryAfterSeconds?: number };
}

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** A request that the API server refused, or did not answer (status 0). */
export class KubeError extends ForgeError {
  readonly status: number;
  readonly reason: string;
  readonly causes: StatusCause[];
  /** How long the server asks to be left alone. */
  readonly retryAfterSeconds: number | undefined;

  constructor(parts: ForgeErrorOptions & { status: number; said?: KubeStatus; retryAfterSeconds?: number | undefined }) {
    super({ ...parts, message: redact(parts.message) });
    this.status = parts.status;
    this.reason = parts.said?.reason ?? '';
    this.causes = parts.said?.details?.causes ?? [];
    this.retryAfterSeconds = parts.retryAfterSeconds ?? parts.said?.details?.retryAfterSeconds;
  }
}

export const isKubeError = (error: unknown, ...statuses: number[]): error is KubeError =>
  error instanceof KubeError && (statuses.length === 0 || statuses.includes(error.status));

/** No answer, or one that says that the server is not itself just now: the same request may succeed in a moment. */
export const isPassing = (error: unknown): boolean =>
  isKubeError(error) && (error.status === 0 || error.status === 429 || error.status >= 500);

const KINDS: Record<number, { code: string; exitCode: ExitCode; hint: string }> = {
  401: {
    code: 'KUBERNETES_UNAUTHORIZED',
    exitCode: ExitCode.lacking,
    hint: 'The kubeconfig names a user whom the cluster does not know (any more): log in again, or renew its certificate or token',
  },
  403: {
    code: 'KUBERNETES_FORBIDDEN',
    exitCode: ExitCode.lacking,
    hint: "Ask the cluster's administrator for that right, or name another context (--context)",
  },
  404: { code: 'KUBERNETES_NOT_FOUND', exitCode: ExitCode.server, hint: 'See `forge status` for what is there' },
  409: {
    code: 'KUBERNETES_CONFLICT',
    exitCode: ExitCode.server,
    hint: 'Something else changes the same object: run the same command again',
  },
  422: { code: 'KUBERNETES_INVALID', exitCode: ExitCode.server, hint: 'The cluster does not take the object as it is written' },
};
const OTHER = { code: 'KUBERNETES_FAILED', exitCode: ExitCode.server, hint: 'See `forge status`; run the same command again' };

/** The error for an answer that is none of 2xx. `doing` names the request in plain words: `applying Deployment kafka/kafka`. */
export function refusedError(server: string, doing: string, status: number, text: string, retryAfterSeconds?: number): KubeError {
  const said = statusOf(text);
  const why = said.message ?? text.trim().slice(0, 300);
  const message = `The Kubernetes API on ${server} refused ${doing} (${status})${why === '' ? '' : `: ${why}`}`;
  return new KubeError({ ...(KINDS[status] ?? OTHER), message, status, said, retryAfterSeconds: retryAfterSeconds || undefined });
}

const RENEW =
  'Have the certificate of its API renewed (`kubeadm certs renew all`; k3s does it when it starts), or set the clock of this machine right';
const OTHER_CLUSTER = 'The cluster is not the one that the kubeconfig was made for: get its kubeconfig anew';

/** The error for a server that gave no answer. */
export function unansweredError(server: string, doing: string, error: unknown): KubeError {
  const said = errorCode(error) ?? '';
  const tls = /CERT|SELF_SIGNED|ALTNAME|SSL|TLS/.test(said);
  const why = typeof error === 'string' ? error : reasonOf(error);
  return new KubeError({
    code: tls ? 'KUBERNETES_CERTIFICATE' : 'KUBERNETES_UNREACHABLE',
    message: `No answer from the Kubernetes API on ${server} to ${doing}: ${why}`,
    hint: /EXPIRED|NOT_YET_VALID/.test(said)
      ? RENEW
      : tls
        ? OTHER_CLUSTER
        : 'Is the cluster running? `forge status` tells; `forge up` starts a cluster of its own',
    exitCode: ExitCode.server,
    status: 0,
    cause: typeof error === 'string' ? undefined : error,
  });
}

export function statusOf(text: string): KubeStatus {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
