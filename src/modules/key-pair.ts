import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ensureDir } from '../workspace/atomic.js';
import { defineModule, describeDifference, type Difference, type TaskContext } from './contract.js';
import { FILE_MODE, FOLDER_MODE, look, ownerDifference } from './credential-file.js';
import { modeDifference } from './local-path.js';

const schema = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'expected lower-case letters, digits and hyphens'),
  bits: z.int().min(2048).max(8192).default(4096),
});
type Args = z.output<typeof schema>;
type Pair = Record<'publicKey' | 'privateKey', string>;

/** An RSA key pair of the workspace. One that is there is never made anew: what it signed would be worth nothing. */
export const keyPair = defineModule<Args>({
  name: 'key-pair',
  summary: 'An RSA key pair in .forge/credentials (publicKey: SPKI, privateKey: PKCS#8, both PEM); 0600 in a 0700 folder',
  schema,
  // A prime number may take its time to be found.
  timeoutSeconds: 120,

  async observe({ name, bits }, context) {
    const { file, fields, folderMode, fileEntry } = await look(name, context);
    if (fields === undefined) return { state: 'missing', message: `no key pair ${name}` };
    const diff: Difference[] = [
      ...modeDifference(folderMode ?? 0, FOLDER_MODE, 'mode of the folder'),
      ...modeDifference(fileEntry?.mode ?? 0, FILE_MODE),
      ...ownerDifference(fileEntry?.uid),
      ...keyDifference(fields, bits),
    ];
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: `key pair ${name} (${file}): ${diff.map(describeDifference).join('; ')}`, diff };
  },

  async apply({ name, bits }, observation, context) {
    const { credentials, workspace } = context.stack;
    const { fields = {} } = await look(name, context);
    const isWhole = keyDifference(fields, bits).length === 0;
    const pair = isWhole ? fields : await makePair(bits, context);
    await ensureDir(workspace.credentials, FOLDER_MODE);
    await credentials.write(name, pair);
    return observation.state === 'missing' ? `key pair ${name} was missing; made` : `${observation.message}; mended`;
  },

  async remove({ name }, context) {
    await context.stack.credentials.remove(name);
  },
});

async function makePair(bits: number, { progress, signal }: TaskContext): Promise<Pair> {
  progress(`making an RSA key of ${bits} bits`);
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  signal.throwIfAborted();
  return pair;
}

/** A private key of that size, and the public key that belongs to it. */
function keyDifference({ publicKey, privateKey }: Partial<Pair>, bits: number): Difference[] {
  const differs = (field: string, is: string, should: string): Difference[] => [{ field, is, should }];
  if (privateKey === undefined || publicKey === undefined) return differs('keys', 'not whole', 'a pair');
  let own: string;
  try {
    const key = createPrivateKey({ key: privateKey, format: 'pem' });
    const size = key.asymmetricKeyDetails?.modulusLength;
    if (key.asymmetricKeyType !== 'rsa' || !privateKey.startsWith('-----BEGIN PRIVATE KEY-----'))
      return differs('privateKey', 'another kind of key', 'RSA, PKCS#8');
    if (size !== bits) return differs('bits', String(size), String(bits));
    own = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  } catch {
    return differs('privateKey', 'no key', 'an RSA key');
  }
  return own.trim() === publicKey.trim() ? [] : differs('publicKey', 'that of another key', 'that of the private key');
}
