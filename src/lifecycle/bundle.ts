import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { jsonPart, packBundle, partsOf, type BundlePart } from '../doctor/bundle.js';
import { clusterParts } from '../doctor/bundle-cluster.js';
import { generatedParts, logParts, settingsParts } from '../doctor/bundle-files.js';
import { machineFacts } from '../doctor/bundle-machine.js';
import { rememberSecrets } from '../doctor/bundle-secrets.js';
import { messageOf, usageError } from '../errors.js';
import { holds } from '../playbook/task.js';
import { writeFileAtomic } from '../workspace/atomic.js';
import { isOnKubernetes, type StackContext } from '../workspace/context.js';
import { findWorkspace } from '../workspace/workspace.js';
import { loadDefinition } from './graph.js';
import { openSession, type SessionOptions } from './session.js';
import { stackStatus } from './status.js';

export interface BundleOptions extends SessionOptions {
  file: string;
  /** Of forge. */
  version: string;
  /** What doctor has found. */
  findings: unknown;
  signal: AbortSignal;
}

export interface Bundle {
  file: string;
  bytes: number;
}

/** A cluster that hangs is no reason to write nothing. */
const CLUSTER_SECONDS = 30;

/** @throws ForgeError FILE_EXISTS, FOLDER_MISSING (exit 2), before anything is looked at */
export async function refuseBundle(given: string): Promise<string> {
  const file = path.resolve(given);
  const folder = path.dirname(file);
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw usageError({ code: 'FOLDER_MISSING', message: `There is no folder ${folder}`, hint: 'Make it, or name a file in another one' });
  if ((await lstat(file).catch(() => undefined)) !== undefined)
    throw usageError({
      code: 'FILE_EXISTS',
      message: `${file} is there already, and is not overwritten`,
      hint: 'Name another file, or remove it',
    });
  return file;
}

/**
 * Writes an archive of all that helps somebody elsewhere: facts of the machine, settings, status, findings, generated files and
 * logs. Works whatever state the workspace is in. All of it is masked; what cannot be is left out.
 */
export async function writeBundle(options: BundleOptions): Promise<Bundle> {
  const file = await refuseBundle(options.file);
  const { signal } = options;
  const workspace = findWorkspace(options.folder);
  const stack = await openSession(options).then(
    (session) => session.stack,
    (error: unknown) => messageOf(error),
  );
  const needed = typeof stack === 'string' ? [] : await neededCredentials(stack).catch(messageOf);
  const unknown =
    typeof needed === 'string'
      ? [...rememberSecrets(workspace, []), `Which credentials the stack has cannot be told: ${needed}`]
      : rememberSecrets(workspace, needed);
  const isMasked = unknown.length === 0;
  const files = [
    await partsOf('machine', async () => [jsonPart('machine.json', await machineFacts(workspace, options.cacheDir))]),
    await partsOf('settings', () => settingsParts(workspace)),
    isMasked ? await partsOf('generated', () => generatedParts(workspace)) : [],
    isMasked ? await partsOf('logs', () => logParts(workspace)) : [],
  ];
  const live =
    typeof stack === 'string'
      ? [[{ name: 'stack.could-not-be-opened.txt', text: `${stack}\n` }]]
      : await Promise.all([
          partsOf('status', async () => [jsonPart('status.json', await stackStatus(options))]),
          isOnKubernetes(stack) ? partsOf('kubernetes', () => clusterParts(stack, isMasked, limited(signal))) : [],
        ]);
  signal.throwIfAborted();
  const parts = [readMe(options.version, unknown), jsonPart('doctor.json', options.findings), ...files.flat(), ...live.flat()];
  const name = path.basename(file).replace(/(\.tar)?(\.gz)?$|\.tgz$/, '') || 'forge';
  const bytes = await packBundle(name, parts);
  await refuseBundle(file);
  await writeFileAtomic(file, bytes, { mode: 0o600 });
  return { file, bytes: bytes.length };
}

const limited = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(CLUSTER_SECONDS * 1000)]);

/** Before the first `up` there are none, and nothing that could hold them. */
async function neededCredentials(stack: StackContext): Promise<string[]> {
  if ((await lstat(stack.workspace.generated).catch(() => undefined)) === undefined) return [];
  const { tasks } = await loadDefinition(stack.packageRoot, stack.stack);
  return tasks
    .filter(({ module, when }) => (module === 'secret' || module === 'key-pair') && holds(when, stack))
    .map((task) => String(task.with['name']));
}

const readMe = (version: string, unknown: string[]): BundlePart => ({
  name: 'README.txt',
  text: [
    `Written by forge ${version} (forge doctor --bundle) at ${new Date().toISOString()}, to be attached to an issue.`,
    'Secrets that forge knows are masked as ***, and so is what looks like one. Files with credentials are not in it.',
    ...(unknown.length === 0
      ? []
      : [
          '',
          'Generated files and logs are left out, since secrets that may be in them could not be masked:',
          ...unknown.map((why) => `- ${why}`),
        ]),
    '',
  ].join('\n'),
});
