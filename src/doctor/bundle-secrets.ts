import { readdirSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../errors.js';
import { openCredentials } from '../workspace/credentials.js';
import { readText } from '../workspace/read-text.js';
import { redact, rememberSecret } from '../workspace/secret.js';
import type { Workspace } from '../workspace/workspace.js';

/** Lines of a key this short are its frame. */
const KEY_LINE = 20;

/**
 * Makes every secret of the workspace known to `redact`, and tells why some may not be: then nothing may be shown that could
 * hold them. `needed` are the credentials that the stack must have.
 */
export function rememberSecrets(workspace: Workspace, needed: readonly string[]): string[] {
  const credentials = openCredentials(workspace);
  const names = credentials.names();
  const unknown = names.flatMap((name) => {
    try {
      for (const value of Object.values(credentials.read(name) ?? {})) rememberLines(value.reveal());
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  salvage(workspace.credentials);
  rememberKubeconfig(path.join(workspace.forgeDir, 'kubeconfig'));
  const missing = needed.filter((name) => !names.includes(name)).map((name) => `The credential ${name} is missing`);
  return [...unknown, ...missing];
}

/** A key stands in other files with its lines moved in. */
function rememberLines(value: string): void {
  const lines = value.split('\n').map((line) => line.trim());
  if (lines.length > 1) for (const line of lines) if (line.length >= KEY_LINE && !line.startsWith('-----')) rememberSecret(line);
}

/** Words of files that are no (whole) credential: halves, copies, what somebody laid there. */
function salvage(folder: string): void {
  for (const name of entriesOf(folder)) {
    const text = readText(path.join(folder, name));
    if (text === undefined || (!name.startsWith('.') && isWhole(text))) continue;
    for (const word of text.split(/[\s"',:{}[\]]+/)) if (word.length >= KEY_LINE / 2) rememberSecret(word);
  }
}

function isWhole(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function rememberKubeconfig(file: string): void {
  for (const [, value] of (readText(file) ?? '').matchAll(/^\s*(?:client-key-data|token|password):\s*"?([^\s"]+)/gm))
    rememberSecret(value ?? '');
}

/**
 * Names that say that a secret follows, in the languages of the files of a stack, also in JSON that is a text of JSON. In quotes it
 * goes on to the same quote, or to the end of a line that was cut off; else to the end of the word.
 */
const NAMED =
  /((?:password|passwd|secret|access[-_.]?key|api[-_.]?key|client[-_.]?key-data|credential|token)[\w.-]*(?:\\*["'])?\s*(?:=>|[:=])\s*)(?:(\\*["'])((?:(?!\2)(?:\\.|.)|\2\2)*)(\2|$)|([^\s"',;]+))/gim;
/** Shorter ones mask ordinary words, as in `tokens: 4`. */
const SHORTEST = 6;
const HEADER = /(\bauthorization\W{1,8}(?:bearer|basic)\s+)[^\s"',;\]\\]+/gi;
/** With a password, or so long that it is one (`https://TOKEN@host`). */
const USER_INFO = /(:\/\/)(?:[^\s/@"':]*:[^\s/@"']+|[^\s/@"':]{16,})@/g;
const KEY_BLOCK = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** Where a name stands for the secret: a variable, a file, a class, a switch. */
const HARMLESS = /^(\*{3}|\$|\{|<|\/|true$|false$|null$|none$|undefined$|org\.|com\.|io\.|https?:)/i;

/** Masks what is known, and what looks like a secret: those of before, which nobody knows any more. */
export const scrub = (text: string): string =>
  redact(text).replace(KEY_BLOCK, '***').replace(USER_INFO, '$1***@').replace(HEADER, '$1***').replace(NAMED, masked);

function masked(whole: string, name: string, open = '', quoted = '', close = '', word = ''): string {
  const value = quoted || word;
  return value.length < SHORTEST || HARMLESS.test(value) ? whole : `${name}${open}***${close}`;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
