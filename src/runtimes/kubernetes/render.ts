import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Document } from 'yaml';
import type { KubeObject } from '../../clients/kubernetes-types.js';
import { nameOf, refOf } from '../../clients/kubernetes-types.js';
import { messageOf, usageError, type ForgeError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { redact } from '../../workspace/secret.js';
import { renderTemplate } from '../../workspace/template.js';
import { withHashes } from './hashes.js';
import { ownershipOf, withLabels, type Ownership } from './labels.js';

/** A manifest as it is to be applied. */
export interface Manifest {
  /** Below manifests/: `kafka/kafka.yaml`. */
  file: string;
  owner: Ownership;
  objects: KubeObject[];
}

/**
 * Fills in a file of manifests/, reads its objects, and gives them forge's labels and hashes.
 * @throws ForgeError MANIFEST_MISSING, MANIFEST_INVALID, TEMPLATE_VARIABLE_MISSING, TEMPLATE_INVALID (exit 2), with file and line
 */
export async function renderManifest(
  stack: Pick<StackContext, 'packageRoot' | 'workspace' | 'stack' | 'credentials'>,
  file: string,
  values: Record<string, unknown>,
): Promise<Manifest> {
  const folder = path.join(stack.packageRoot, 'manifests');
  const source = path.resolve(folder, file);
  if (!source.startsWith(folder + path.sep)) throw noManifest(file, 'it is not below manifests/');
  const template = await readFile(source, 'utf8').catch((error: unknown) => {
    throw noManifest(file, messageOf(error));
  });
  // Read all of them, so that they are masked where the cluster's objects still have them.
  for (const name of stack.credentials.names()) stack.credentials.read(name);
  const { text } = renderTemplate(template, values, { file: `manifests/${file}` });
  const owner = ownershipOf(stack, file);
  // Hashes first: a label is no reason to run a Job again.
  const objects = withHashes((await parseObjects(text, `manifests/${file}`)).map(encoded));
  return { file, owner, objects: objects.map((object) => withLabels(object, owner)) };
}

/** The text of a manifest as it is applied: with labels and hashes, ready for `kubectl apply`. */
export async function manifestText({ objects }: Manifest): Promise<string> {
  const { stringify } = await import('yaml');
  return objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
}

async function parseObjects(text: string, file: string): Promise<KubeObject[]> {
  const { LineCounter, parseAllDocuments } = await import('yaml');
  const lineCounter = new LineCounter();
  const documents: Document[] = [...parseAllDocuments(text, { lineCounter })];
  const objects: KubeObject[] = [];
  const seen = new Set<string>();
  for (const document of documents) {
    const { line } = lineCounter.linePos(document.contents?.range?.[0] ?? 0);
    const [error] = document.errors;
    if (error !== undefined) throw invalid(file, error.linePos?.[0].line ?? line, error.message.split('\n')[0] ?? '');
    const value: unknown = document.toJS();
    if (value === null) continue;
    const why = mistakeIn(value);
    if (why !== undefined) throw invalid(file, line, why);
    const object = value as KubeObject;
    const name = nameOf(refOf(object));
    if (seen.has(name)) throw invalid(file, line, `${name} stands there twice`);
    seen.add(name);
    objects.push(object);
  }
  return objects;
}

function mistakeIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'this is no object of Kubernetes';
  const { apiVersion, kind, metadata } = value as Partial<KubeObject>;
  if (typeof apiVersion !== 'string') return 'apiVersion is missing';
  if (typeof kind !== 'string') return 'kind is missing';
  if (typeof metadata !== 'object' || typeof metadata.name !== 'string') return `${kind} has no metadata.name`;
  return undefined;
}

/** As the server keeps a Secret: `stringData` is only ever written, so that what it changed could not be seen again. */
function encoded(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret' || object['stringData'] === undefined) return object;
  const { stringData, ...rest } = object;
  const data = Object.entries(stringData as Record<string, unknown>).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString('base64'),
  ]);
  return { ...rest, data: { ...(rest['data'] as object | undefined), ...(Object.fromEntries(data) as object) } };
}

const noManifest = (file: string, why: string): ForgeError =>
  usageError({ code: 'MANIFEST_MISSING', message: `There is no manifest ${file}: ${why}`, hint: 'Correct the path in the playbook' });

const invalid = (file: string, line: number, why: string): ForgeError =>
  usageError({
    code: 'MANIFEST_INVALID',
    message: redact(`${file}, line ${line} as filled in: ${why}`),
    hint: 'Correct the manifest, or the value in forge.yaml that is filled in there',
  });
