import type { Secret } from './secret.js';

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
