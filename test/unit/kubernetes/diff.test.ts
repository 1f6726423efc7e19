import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../src/clients/kubernetes.js';
import { readConflicts, conflictError, isByHand } from '../../../src/runtimes/kubernetes/conflict.js';
import { refusedError } from '../../../src/clients/kubernetes-error.js';
import { fieldDifferences } from '../../../src/runtimes/kubernetes/diff.js';
import { leftoversOf } from '../../../src/runtimes/kubernetes/owned.js';
import { isOwn, withLabels } from '../../../src/runtimes/kubernetes/labels.js';
import { Secret } from '../../../src/workspace/secret.js';

type Tree = Record<string, unknown>;
const object = (fields: Tree, owned: Tree, kind = 'ConfigMap'): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'a', managedFields: [{ manager: 'forge', operation: 'Apply', fieldsV1: owned }] },
  ...fields,
});
const container = (more: Tree): Tree => ({
  spec: {
    containers: [
      { name: 'side', image: 's:1' },
      { name: 'main', image: 'm:1', ...more },
    ],
  },
});
const ofMain = (below: Tree): Tree => ({ 'f:spec': { 'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:name': {}, ...below } } } });

describe('the fields that differ', () => {
  it('are told by their way through lists', () => {
    const owned = ofMain({ 'f:image': {}, 'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { 'f:name': {} } } });
    const ports = (name: string) => ({ ports: [{ containerPort: 80, protocol: 'TCP', name }] });
    expect(fieldDifferences(object(container(ports('a')), owned), object(container({ ...ports('b'), image: 'm:2' }), owned))).toEqual([
      { field: 'spec.containers[main].image', is: 'm:1', should: 'm:2' },
      { field: 'spec.containers[main].ports[80/TCP].name', is: 'a', should: 'b' },
    ]);
  });

  it('are those that forge owns, or owned and lets go of', () => {
    const before = object({ data: { kept: '1', dropped: '1', theirs: '1' } }, { 'f:data': { 'f:kept': {}, 'f:dropped': {} } });
    const after = object({ data: { kept: '1', theirs: '2' } }, { 'f:data': { 'f:kept': {} } });
    expect(fieldDifferences(before, after)).toEqual([{ field: 'data.dropped', is: '1', should: 'absent' }]);
  });

  it('are told as finely as can be where the server compares as a whole', () => {
    const claim = (storage: string) => ({ spec: { claims: [{ metadata: { name: 'data' }, size: { storage } }] } });
    const owned = { 'f:spec': { 'f:claims': {} } };
    expect(fieldDifferences(object(claim('1Gi'), owned), object(claim('2Gi'), owned))).toEqual([
      { field: 'spec.claims[data].size.storage', is: '1Gi', should: '2Gi' },
    ]);
  });

  it('never show a credential, nor what stood in its place', () => {
    new Secret('a-new-password');
    const owned = { 'f:data': { 'f:url': {} } };
    const url = (password: string) => ({ data: { url: `postgresql://forge:${password}@db` } });
    const shown = fieldDifferences(object(url('an-old-password'), owned), object(url('a-new-password'), owned));
    expect(shown).toEqual([{ field: 'data.url', is: '***', should: 'postgresql://forge:***@db' }]);
  });

  const values = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.oneof(fc.string({ minLength: 8 }), fc.integer(), fc.boolean()), {
    maxKeys: 6,
  });
  /** Whoever owns a field and none below it owns it as a whole. */
  const treeOf = (keys: string[]): Tree => (keys.length === 0 ? {} : { 'f:data': Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) });

  it('are exactly the owned ones whose values differ', () => {
    fc.assert(
      fc.property(values, values, fc.func(fc.boolean()), (before, after, isOwned) => {
        const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
        const owned = keys.filter((key) => isOwned(key));
        const found = fieldDifferences(object({ data: before }, treeOf(owned)), object({ data: after }, treeOf(owned)));
        const expected = owned.filter((key) => before[key] !== after[key]).map((key) => `data.${key}`);
        expect(found.map(({ field }) => field).sort()).toEqual(expected.sort());
      }),
    );
  });

  it('of a Secret have no values', () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const owned = treeOf([...Object.keys(before), ...Object.keys(after)]);
        const found = fieldDifferences(object({ data: before }, owned, 'Secret'), object({ data: after }, owned, 'Secret'));
        for (const { is, should } of found) expect([is, should].every((text) => ['***', 'absent'].includes(text))).toBe(true);
      }),
    );
  });
});

describe('conflicts', () => {
  const refused = (causes: { field: string; message: string }[]) =>
    refusedError(
      '127.0.0.1:6443',
      'applying Deployment kafka/kafka',
      409,
      JSON.stringify({ reason: 'Conflict', details: { causes: causes.map((cause) => ({ ...cause, reason: 'FieldManagerConflict' })) } }),
    );

  it('name the manager, how it holds the field, and the field in the words of differences', () => {
    const found = readConflicts(
      refused([
        { field: '.spec.replicas', message: 'conflict with "kubectl-edit" using apps/v1 at 2026-01-01T00:00:00Z' },
        { field: '.spec.template.spec.containers[name="kafka"].image', message: 'conflict with "argocd-controller"' },
        { field: '.spec.ports[port=80,protocol="TCP"].nodePort', message: 'conflict with "hpa" with subresource "scale" using apps/v1' },
      ]),
    )!;
    expect(found).toEqual([
      { field: 'spec.replicas', manager: 'kubectl-edit', operation: 'Update' },
      { field: 'spec.template.spec.containers[kafka].image', manager: 'argocd-controller', operation: 'Apply' },
      { field: 'spec.ports[80/TCP].nodePort', manager: 'hpa', operation: 'Update' },
    ]);
    expect(found.map(isByHand)).toEqual([true, false, false]);
    const error = conflictError(
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'kafka', namespace: 'kafka' } },
      found.slice(1),
      'kafka/kafka.yaml',
    );
    expect(error.message).toBe(
      'Deployment kafka/kafka is managed by somebody else too: argocd-controller holds spec.template.spec.containers[kafka].image; hpa holds spec.ports[80/TCP].nodePort',
    );
  });

  it('are none where the object was just made by somebody else', () => {
    expect(readConflicts(refusedError('h', 'x', 409, '{"reason":"AlreadyExists"}'))).toBeUndefined();
    expect(readConflicts(new Error('else'))).toBeUndefined();
  });

  it.each([
    ['kubectl', 'Update', true],
    ['kubectl-patch', 'Update', true],
    ['kubectl', 'Apply', false],
    ['kubectlx', 'Update', false],
    ['kube-controller-manager', 'Update', false],
    ['helm', 'Update', false],
  ] as const)('%s by %s are by hand: %s', (manager, operation, expected) => {
    expect(isByHand({ field: '', manager, operation })).toBe(expected);
  });
});

describe('what a manifest no longer has', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'));
  const made = (name: string, kind: string, manifest: string): KubeObject =>
    withLabels({ apiVersion: 'v1', kind, metadata: { name, namespace: 'n' } }, { workspace: 'w', stack: 's', manifest });

  it('is what carries its label and is not in it; never data, never of another manifest', () => {
    fc.assert(
      fc.property(names, names, fc.constantFrom('ConfigMap', 'Service', 'PersistentVolumeClaim', 'Namespace'), (there, wanted, kind) => {
        const owned = [...there.map((name) => made(name, kind, 'k/a.yaml')), ...there.map((name) => made(name, 'ConfigMap', 'k/b.yaml'))];
        const left = leftoversOf(
          owned,
          'k.a.yaml',
          wanted.map((name) => made(name, kind, 'k/a.yaml')),
        );
        const isData = kind === 'PersistentVolumeClaim' || kind === 'Namespace';
        expect(left.map(({ metadata }) => metadata.name)).toEqual(isData ? [] : there.filter((name) => !wanted.includes(name)));
      }),
    );
  });

  it.each([
    ['another workspace', { 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/workspace': 'w2' }],
    ['a name that begins alike', { 'app.kubernetes.io/managed-by': 'forge', 'forge.dev/workspace': 'w-more' }],
    ['another manager', { 'app.kubernetes.io/managed-by': 'Helm', 'forge.dev/workspace': 'w' }],
    ['nobody', undefined],
  ])('is not of %s', (_whose, labels) => {
    expect(isOwn({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', ...(labels ? { labels } : {}) } }, 'w')).toBe(false);
    expect(isOwn(made('a', 'ConfigMap', 'k'), 'w')).toBe(true);
  });
});
