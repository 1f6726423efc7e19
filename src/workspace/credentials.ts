import { constants, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { lackingError, messageOf, usageError } from '../errors.js';
import { ensureDir, fileError, writeFileAtomic } from './atomic.js';
import { Secret } from './secret.js';
import type { Workspace } from './workspace.js';

/** One credential: named fields, such as username and password; all of them are handled as secrets. */
export type Credential = Record<string, Secret>;

/** The files of .forge/credentials, one JSON object of strings each (`NAME.json`, mode 0600 in a 0700 folder). */
export interface Credentials {
  /** Undefined when there is no such file. Throws ForgeError CREDENTIAL_UNREADABLE when the file is damaged. */
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
