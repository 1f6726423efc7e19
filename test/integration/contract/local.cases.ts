import { appendFile, chmod, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { directory } from '../../../src/modules/directory.js';
import { file } from '../../../src/modules/file.js';
import { keyPair } from '../../../src/modules/key-pair.js';
import { secret } from '../../../src/modules/secret.js';
import { template } from '../../../src/modules/template.js';
import { Secret } from '../../../src/workspace/secret.js';
import { withOwnWorkspace, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const LOCAL = { world: withOwnWorkspace, noUnreachable: 'it is on this machine' } satisfies Partial<ContractCase>;

/** What people and other programs do to a file behind forge's back. */
const fileDrift = (pathOf: (world: TestWorld) => string): ContractCase['drift'] => [
  { what: 'another mode', make: (world) => chmod(pathOf(world), 0o644) },
  { what: 'another content', make: (world) => appendFile(pathOf(world), 'one line more\n') },
  { what: 'emptied', make: (world) => writeFile(pathOf(world), '') },
  { what: 'deleted', make: (world) => rm(pathOf(world)) },
  {
    what: 'a symbolic link in its place',
    make: async (world) => {
      const other = join(world.scratch, 'other');
      await writeFile(other, await readFile(pathOf(world)));
      await rm(pathOf(world));
      await symlink(other, pathOf(world));
    },
  },
];

const inWorkspace =
  (...parts: string[]) =>
  ({ stack }: TestWorld): string =>
    join(stack.workspace.root, ...parts);
const credential = ({ stack }: TestWorld): string => stack.credentials.file('contract');

/** The credential's file with its fields changed by hand. */
async function edit(world: TestWorld, change: (fields: Record<string, string>) => Record<string, string>): Promise<void> {
  const fields = JSON.parse(await readFile(credential(world), 'utf8')) as Record<string, string>;
  await writeFile(credential(world), JSON.stringify(change(fields)));
}

export const cases: ContractCase[] = [
  {
    ...LOCAL,
    module: directory,
    title: 'a folder below .forge',
    args: () => ({ path: '.forge/data/contract', mode: '0700' }),
    drift: [
      { what: 'another mode', make: (world) => chmod(inWorkspace('.forge/data/contract')(world), 0o755) },
      { what: 'deleted', make: (world) => rm(inWorkspace('.forge/data/contract')(world), { recursive: true }) },
    ],
  },
  {
    ...LOCAL,
    module: file,
    title: 'a text',
    args: () => ({ path: '.forge/generated/contract.txt', content: 'a line\nanother line\n', mode: '0600' }),
    drift: fileDrift(inWorkspace('.forge/generated/contract.txt')),
  },
  {
    ...LOCAL,
    module: file,
    title: 'a secret, beside .forge',
    args: () => ({ path: 'contract/password', content: new Secret('the-contract-of-forge') }),
    drift: fileDrift(inWorkspace('contract/password')),
  },
  {
    ...LOCAL,
    module: secret,
    title: 'a name and a random password',
    args: () => ({ name: 'contract', fields: { username: 'forge', password: { generate: 24 } } }),
    drift: [
      { what: 'another mode', make: (world) => chmod(credential(world), 0o644) },
      { what: 'another mode of the folder', make: ({ stack }) => chmod(stack.workspace.credentials, 0o755) },
      { what: 'deleted', make: (world) => rm(credential(world)) },
      { what: 'a field is gone', make: (world) => edit(world, ({ username }) => ({ username: username! })) },
      { what: 'a fixed field was changed', make: (world) => edit(world, (fields) => ({ ...fields, username: 'someone' })) },
    ],
  },
  {
    ...LOCAL,
    module: keyPair,
    title: 'a key pair for tokens',
    args: () => ({ name: 'contract', bits: 2048 }),
    drift: [
      { what: 'another mode', make: (world) => chmod(credential(world), 0o644) },
      { what: 'deleted', make: (world) => rm(credential(world)) },
      { what: 'half of it is gone', make: (world) => edit(world, ({ publicKey }) => ({ publicKey: publicKey! })) },
      {
        what: 'the public key of another pair',
        make: (world) => edit(world, ({ privateKey }) => ({ privateKey: privateKey!, publicKey: 'that of somebody else' })),
      },
      { what: 'damaged', make: (world) => edit(world, (fields) => ({ ...fields, privateKey: fields['privateKey']!.slice(0, 400) })) },
    ],
  },
  {
    ...LOCAL,
    module: template,
    title: "one of forge's templates",
    args: () => ({ template: 'postgresql/postgresql.conf', to: 'contract.conf', values: { port: 5432, sharedBuffers: '32MB' } }),
    drift: fileDrift(inWorkspace('.forge/generated/contract.conf')),
  },
];
