import { chmod, lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileError } from '../../../workspace/atomic.js';
import type { Workspace } from '../../../workspace/workspace.js';
import type { Check, Place, Trouble } from '../../check.js';

const OTHERS = 0o077;

interface Entry {
  file: string;
  mode: number;
  uid: number;
}

/** Credentials, generated files and the way into the cluster are for their owner alone. */
export const fileModes: Check<Place> = {
  id: 'file-modes',
  group: 'workspace',
  title: 'Only their owner can read credentials and generated files',
  async look({ workspace }): Promise<Trouble[]> {
    const entries = await privateEntries(workspace);
    const name = (file: string): string => path.relative(workspace.root, file);
    const self = process.geteuid?.();
    const owner = self || (await lstat(workspace.forgeDir).catch(() => undefined))?.uid;
    const strange = entries.filter(({ uid }) => owner !== undefined && uid !== owner);
    // Nobody but its owner and root may change the mode of a file: those of others wait until they are given back.
    const open = entries.filter(({ mode, uid }) => (mode & OTHERS) !== 0 && (self === 0 || self === undefined || uid === self));
    return [...(strange.length === 0 ? [] : [ownerTrouble(strange, name)]), ...(open.length === 0 ? [] : [openTrouble(open, name)])];
  },
};

function openTrouble(open: Entry[], name: (file: string) => string): Trouble {
  const told = open.map(({ file, mode }) => `${name(file)} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}`);
  return {
    title: 'Other users of this machine can read or change private files',
    cause: `${few(told)}; folders should be 0700, files 0600`,
    remedy: `chmod -R go= ${[...new Set(open.map(({ file }) => name(file)))].slice(0, 5).join(' ')}`,
    fix: {
      does: 'takes the rights of others away',
      async run() {
        for (const { file, mode } of open)
          await chmod(file, mode & 0o700).catch((error: unknown) => {
            throw fileError(file, error);
          });
      },
    },
  };
}

const ownerTrouble = (strange: Entry[], name: (file: string) => string): Trouble => ({
  title: 'Private files belong to somebody else',
  cause: few(strange.map(({ file, uid }) => `${name(file)} belongs to user ${uid}`)),
  remedy: `sudo chown -R "$(id -u)" ${[...new Set(strange.map(({ file }) => name(file)))].slice(0, 5).join(' ')}`,
});

const few = (texts: string[]): string => [...texts.slice(0, 5), ...(texts.length > 5 ? [`and ${texts.length - 5} more`] : [])].join('; ');

/** Symbolic links are left out: their mode means nothing, and nobody may change what they lead to. */
async function privateEntries({ forgeDir, credentials, generated }: Workspace): Promise<Entry[]> {
  const alone = [forgeDir, path.join(forgeDir, 'kubeconfig'), path.join(forgeDir, 'stack.json')];
  const below = await Promise.all([credentials, generated].map(filesBelow));
  const entries = await Promise.all(
    [...alone, ...below.flat()].map(async (file) => ({ file, found: await lstat(file).catch(() => undefined) })),
  );
  return entries.flatMap(({ file, found }) =>
    found === undefined || found.isSymbolicLink() ? [] : [{ file, mode: found.mode, uid: found.uid }],
  );
}

async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return [folder, ...names.map((name) => path.join(folder, name))];
}
