import { constants, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { lackingError, messageOf, usageError } from '../errors.js';
import { ensureDir, fileError, writeFileAtomic } from './atomic.js';
import { rememberSecret, Secret, SHORTEST_SECRET } from './secret.js';
import type { Workspace } from './workspace.js';

/** One credential: named fields, such as username and password; all of them are handled as secrets. */
export type Credential = Record<string, Secret>;

/** The files of .forge/credentials, one JSON object of strings each (`NAME.json`, mode 0600 in a 0700 folder). */
export interface Credentials {
  /**
   * Undefined when there is no such file. Throws ForgeError CREDENTIAL_UNREADABLE when the file is damaged, CREDENTIAL_REFUSED
   * for a value that not every server would take as it is.
   */
  read(name: string): Credential | undefined;
  /** Like `read`, but throws ForgeError CREDENTIAL_MISSING. */
  get(name: string): Credential;
  /** Atomic; 0600 from the first byte. */
  write(name: string, fields: Record<string, string>): Promise<void>;
  remove(name: string): Promise<void>;
  names(): string[];
  /** Absolute path of a credential's file, whether or not it exists. */
  file(name: string): string;
}

// Node takes numeric flags here; its types name only the texts.
const READ_NO_LINK = (constants.O_RDONLY | constants.O_NOFOLLOW) as unknown as string;

/** The credentials of a workspace. */
export function openCredentials({ credentials: folder }: Pick<Workspace, 'credentials'>): Credentials {
  const file = (name: string): string => path.join(folder, `${name}.json`);
  const read = (name: string): Credential | undefined => {
    let text: string;
    try {
      // A link could lead to a file that others can read or change.
      text = readFileSync(file(name), { encoding: 'utf8', flag: READ_NO_LINK });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      throw unreadable(file(name), code === 'ELOOP' ? 'it is a symbolic link' : messageOf(error));
    }
    const fields = parse(text);
    if (fields === undefined) throw unreadable(file(name), 'it is not a JSON object of strings');
    // Before anything is said of them.
    for (const [field, value] of Object.entries(fields)) if (field !== 'username') rememberSecret(value);
    for (const [field, value] of Object.entries(fields)) refuse(file(name), field, value);
    return Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [field, new Secret(value, { remember: field !== 'username' })]),
    );
  };
  return {
    file,
    read,
    get(name) {
      const found = read(name);
      if (found !== undefined) return found;
      throw usageError({
        code: 'CREDENTIAL_MISSING',
        message: `There is no credential ${name} (${file(name)})`,
        hint: 'Run `forge up`, which makes it',
      });
    },
    async write(name, fields) {
      await ensureDir(folder, 0o700);
      await writeFileAtomic(file(name), JSON.stringify(fields, null, 2) + '\n', { mode: 0o600 });
    },
    async remove(name) {
      try {
        rmSync(file(name), { force: true });
      } catch (error) {
        throw fileError(file(name), error);
      }
    },
    names: () =>
      (existsSync(folder) ? readdirSync(folder) : [])
        .filter((entry) => /^[^.].*\.json$/.test(entry))
        .map((entry) => entry.slice(0, -'.json'.length)),
  };
}

/** PEM has lines; whether it is a key is asked where it is used. */
const KEYS = ['publicKey', 'privateKey'];
/** They stand before a colon, in a list and in a path: in the headers of S3 and OAuth2. */
const IDENTIFIERS = ['accessKeyId', 'clientId'];

/**
 * Credentials go through SQL, YAML, JSON, properties, environments and the headers of HTTP. What one of them would read in
 * another way is refused here, with its name and never its value, before any server is told half of it.
 */
function refuse(file: string, field: string, value: string): void {
  const why = KEYS.includes(field) ? undefined : whyRefused(field, value);
  if (why === undefined) return;
  throw usageError({
    code: 'CREDENTIAL_REFUSED',
    message: `The credential ${file} cannot be used: ${field} ${why}`,
    hint: 'Correct it, or remove the file and run `forge up`, which makes a new one',
  });
}

function whyRefused(field: string, value: string): string | undefined {
  if (value === '') return 'is empty';
  if (/[\r\n]/.test(value)) return 'has more than one line';
  if (!/^[ -~]*$/.test(value)) return 'has other characters than the printable ones of ASCII';
  if (value.trim() !== value) return 'begins or ends with a blank';
  if (value.includes('${')) return 'has a ${, which Polaris would take for a variable';
  if (IDENTIFIERS.includes(field) && /[ ,:/=]/.test(value)) return 'has a blank, comma, colon, slash or equals sign';
  if (/password|secret|token|key$/i.test(field) && value.length < SHORTEST_SECRET)
    return `is shorter than ${SHORTEST_SECRET} characters: easy to guess, and too common a text to mask`;
  if (value.length > (field === 'username' ? 63 : 512)) return 'is too long';
  return undefined;
}

function parse(text: string): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return Object.values(value).every((field) => typeof field === 'string') ? (value as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

const unreadable = (file: string, why: string) =>
  lackingError({
    code: 'CREDENTIAL_UNREADABLE',
    message: `The credential ${file} cannot be read: ${why}`,
    hint: 'Restore it, or remove it and run `forge up`, which makes a new one where the server allows it',
  });
