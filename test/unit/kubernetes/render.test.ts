import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../../src/clients/kubernetes.js';
import { ForgeError } from '../../../src/errors.js';
import { manifestText, renderManifest, type Manifest } from '../../../src/runtimes/kubernetes/render.js';
import { openCredentials } from '../../../src/workspace/credentials.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { scratch } from '../../helpers/folders.js';

let packageRoot: string;
beforeEach(() => void (packageRoot = scratch()));

async function render(text: string, values: Record<string, unknown> = {}): Promise<Manifest> {
  const workspace = workspaceAt(scratch());
  mkdirSync(path.join(packageRoot, 'manifests', 'web'), { recursive: true });
  writeFileSync(path.join(packageRoot, 'manifests', 'web', 'web.yaml'), text);
  return renderManifest(
    { packageRoot, workspace, stack: 'balloon-popper', credentials: openCredentials(workspace) },
    'web/web.yaml',
    values,
  );
}
const refusal = async (text: string): Promise<ForgeError> => {
  const error = await render(text).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ForgeError) return error;
  throw new Error(`no ForgeError: ${String(error)}`);
};
const settings = (level: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: web }\ndata: { level: ${level} }\n`;
const workload = (kind: string, more = ''): string => `---
apiVersion: ${kind === 'Job' ? 'batch/v1' : 'apps/v1'}
kind: ${kind}
metadata: { name: web, namespace: web }
spec:
  template:
    spec:
      containers: [{ name: main, image: 'web:1', envFrom: [{ configMapRef: { name: settings } }] }]
${more}`;
const annotations = (object: KubeObject | undefined): unknown =>
  (object?.['spec'] as { template: { metadata?: { annotations?: unknown } } }).template.metadata?.annotations;

describe('a manifest', () => {
  it('gives its objects labels, and what they make those that say whose it is', async () => {
    const claim = '  volumeClaimTemplates: [{ metadata: { name: data } }]';
    const { objects } = await render(workload('StatefulSet', claim));
    const common = { 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/stack': 'balloon-popper' };
    const [object] = objects;
    expect(object?.metadata.labels).toMatchObject({ ...common, 'forge.dev/manifest': 'web.web.yaml' });
    const spec = object?.['spec'] as {
      template: { metadata: { labels: object } };
      volumeClaimTemplates: { metadata: { labels: object } }[];
    };
    expect(spec.template.metadata.labels).toMatchObject(common);
    expect(spec.template.metadata.labels).not.toHaveProperty(['forge.dev/manifest']);
    expect(spec.volumeClaimTemplates[0]?.metadata.labels).toMatchObject({ ...common, 'forge.dev/manifest': 'web.web.yaml' });
  });

  it('leaves out what a condition leaves out, and reads what it has written', async () => {
    const text = `{{#if wanted}}${settings('info')}{{/if}}---\n# nothing\n---\n${settings('debug').replace('name: settings', 'name: other')}`;
    const manifest = await render(text, { wanted: false });
    expect(manifest.objects.map(({ metadata }) => metadata.name)).toEqual(['other']);
    const again = parseAllDocuments(await manifestText(manifest)).map((document) => document.toJS() as unknown);
    expect(again).toEqual(manifest.objects);
  });

  it('makes pods notice settings that changed, whatever their order, and a Job nothing but its template', async () => {
    const of = async (kind: string, level: string): Promise<KubeObject | undefined> =>
      (await render(settings(level) + workload(kind))).objects.find((object) => object.kind === kind);
    const [info, debug, again] = [await of('Deployment', 'info'), await of('Deployment', 'debug'), await of('Deployment', 'info')];
    expect(annotations(info)).toHaveProperty(['forge.dev/config']);
    expect(annotations(info)).toEqual(annotations(again));
    expect(annotations(info)).not.toEqual(annotations(debug));
    expect((await of('Job', 'info'))?.metadata.annotations).toEqual((await of('Job', 'debug'))?.metadata.annotations);
    const other = (await render(workload('Job').replace('web:1', 'web:2'))).objects[0];
    expect((await of('Job', 'info'))?.metadata.annotations).not.toEqual(other?.metadata.annotations);
  });

  it('writes a Secret as the server keeps it', async () => {
    const { objects } = await render(
      'apiVersion: v1\nkind: Secret\nmetadata: { name: a, namespace: n }\ndata: { old: b2xk }\nstringData: { port: 5432 }\n',
    );
    expect(objects[0]).toMatchObject({ data: { old: 'b2xk', port: Buffer.from('5432').toString('base64') } });
    expect(objects[0]).not.toHaveProperty('stringData');
  });

  it.each([
    ['no YAML', `${settings('info')}---\nkind: [\n`, /manifests\/web\/web\.yaml, line [67] as filled in/],
    ['no object', `${settings('info')}---\n- 1\n`, /line 6 as filled in: this is no object of Kubernetes/],
    ['no kind', 'apiVersion: v1\n', /line 1 as filled in: kind is missing/],
    ['no name', 'apiVersion: v1\nkind: Service\nmetadata: {}\n', /Service has no metadata\.name/],
    ['the same twice', `${settings('info')}---\n${settings('debug')}`, /line 6 as filled in: ConfigMap web\/settings stands there twice/],
  ])('with %s is refused, with the line', async (_what, text, message) => {
    const error = await refusal(text);
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', exitCode: 2 });
    expect(error.message).toMatch(message);
  });

  it('that is not there, or not below manifests/, is refused', async () => {
    const workspace = workspaceAt(scratch());
    const stack = { packageRoot, workspace, stack: 's', credentials: openCredentials(workspace) };
    for (const file of ['web/none.yaml', '../images.yaml'])
      await expect(renderManifest(stack, file, {})).rejects.toMatchObject({ code: 'MANIFEST_MISSING', exitCode: 2 });
  });
});
