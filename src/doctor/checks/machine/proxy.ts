import type { Check, Place, Trouble } from '../../check.js';

/** Tools that ask a proxy for the addresses of the stack get nothing: they are on loopback. */
export const proxyLoopback: Check<Place> = {
  id: 'proxy-loopback',
  group: 'machine',
  severity: 'warning',
  title: 'No proxy stands between tools and the stack',
  look: () => Promise.resolve(proxyTroubles(process.env)),
};

export function proxyTroubles(env: NodeJS.ProcessEnv): Trouble[] {
  // The addresses of the stack are plain HTTP: a proxy for HTTPS alone is never asked.
  const name = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'].find((one) => (env[one] ?? '') !== '');
  if (name === undefined) return [];
  const exceptions = env['no_proxy'] || env['NO_PROXY'] || '';
  if (exceptions.split(/[\s,]+/).some(coversLoopback)) return [];
  const now = exceptions === '' ? 'NO_PROXY is not set' : `NO_PROXY is ${exceptions}`;
  return [
    {
      title: 'Tools would ask a proxy for the servers of the stack',
      cause: `${name} is set, and ${now}: PyIceberg, curl and others would send requests for 127.0.0.1 to the proxy, which knows no such server. forge itself asks no proxy`,
      remedy: `export NO_PROXY=${[...new Set([...exceptions.split(/[\s,]+/).filter(Boolean), 'localhost', '127.0.0.1'])].join(',')} no_proxy="$NO_PROXY"`,
    },
  ];
}

const coversLoopback = (entry: string): boolean =>
  /^(\*|\.?127\.0\.0\.1(:\d+)?|127\.(0\.0\.)?\*?|127\.\*|127(\.\d+){0,3}\/\d+)$/.test(entry);
