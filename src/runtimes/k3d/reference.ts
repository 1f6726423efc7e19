/** An image reference in full, as containerd names it: `postgres:17` is `docker.io/library/postgres:17`. */
export function qualified(reference: string): string {
  const [name = '', digest] = reference.split('@');
  const [first = '', ...rest] = name.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const host = hasHost ? first : 'docker.io';
  const path = hasHost ? rest.join('/') : name;
  const full = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  const hasTag = /:[^/]+$/.test(full);
  if (digest !== undefined) return `${host}/${full.replace(/:[^/:]+$/, '')}@${digest}`;
  return `${host}/${full}${hasTag ? '' : ':latest'}`;
}

/** Named by what it is, not by a tag that may move. */
export const isDigest = (reference: string): boolean => reference.includes('@sha256:');
