import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { connectKubernetes, nameOf, refOf, type KubeClient } from '../clients/kubernetes.js';
import { manifestImages, manifestValues } from '../components/pods.js';
import { applyManifest, generatedFile, inspectManifest } from '../runtimes/kubernetes/apply.js';
import { isByHand } from '../runtimes/kubernetes/conflict.js';
import { requireSameCluster } from '../runtimes/kubernetes/identity.js';
import type { Inspection } from '../runtimes/kubernetes/inspect.js';
import { ownershipOf } from '../runtimes/kubernetes/labels.js';
import { removeManifest } from '../runtimes/kubernetes/remove.js';
import { renderManifest, type Manifest } from '../runtimes/kubernetes/render.js';
import { kubeTarget } from '../runtimes/kubernetes/target.js';
import { defineModule, type Difference, type Observation, type TaskContext } from './contract.js';

const schema = z.strictObject({
  manifest: z.string().min(1).describe('File below manifests/'),
  values: z.record(z.string(), z.unknown()).default({}).describe('Values beside those of the stack'),
  force: z.boolean().default(false).describe('Take over fields that another tool holds, instead of refusing'),
});
type Args = z.output<typeof schema>;

const rendered = async (args: Args, { stack, signal }: TaskContext): Promise<Manifest> => {
  const images = await manifestImages(stack, args.manifest, signal);
  return renderManifest(stack, args.manifest, { ...(await manifestValues(stack)), images, ...args.values });
};

/** The same cluster as before, or none. */
async function connected({ stack, signal }: TaskContext): Promise<KubeClient> {
  const client = await connectKubernetes(kubeTarget(stack));
  await requireSameCluster(stack.workspace, client, { keep: false, signal });
  return client;
}

function differenceOf({ object, plan, live, diff, conflicts, why }: Inspection): Difference[] {
  const name = nameOf(refOf(object));
  if (plan === 'create') return [{ field: name, is: 'absent', should: 'there' }];
  const held = (field: string): string => {
    const holder = conflicts.find((one) => !isByHand(one) && one.field.startsWith(field));
    return holder === undefined ? '' : ` (held by ${holder.manager})`;
  };
  if (diff.length === 0 && plan === 'recreate') return [{ field: name, is: 'as it was made', should: why ?? 'made anew' }];
  return live === undefined ? [] : diff.map(({ field, is, should }) => ({ field: `${name} ${field}`, is: is + held(field), should }));
}

export const k8sApply = defineModule<Args>({
  name: 'k8s.apply',
  summary: 'The objects of a manifest in the Kubernetes cluster, applied by the server; what the manifest no longer has is deleted',
  schema,
  timeoutSeconds: 180,

  async observe(args, context): Promise<Observation> {
    const manifest = await rendered(args, context);
    const { inspections, leftovers } = await inspectManifest(await connected(context), manifest, context.signal);
    const todo = inspections.filter(({ plan }) => plan !== 'none');
    if (todo.length === 0 && leftovers.length === 0) return { state: 'in-sync' };
    const names = todo.map(({ object }) => nameOf(refOf(object)));
    if (todo.length === inspections.length && todo.every(({ plan }) => plan === 'create') && leftovers.length === 0)
      return { state: 'missing', message: `${names.join(', ')}: not there` };
    const gone = leftovers.map((object) => ({ field: nameOf(refOf(object)), is: 'there', should: 'absent' }));
    const anew = todo.flatMap(({ object, why }) => (why === undefined ? [] : [`${nameOf(refOf(object))} has to be made anew: ${why}`]));
    const differing = [...names, ...gone.map(({ field }) => `${field} (no more in the manifest)`)];
    return {
      state: 'drifted',
      message: [`${differing.join(', ')} differ${differing.length === 1 ? 's' : ''}`, ...anew].join('; '),
      diff: [...todo.flatMap(differenceOf), ...gone],
    };
  },

  async apply(args, _observation, context) {
    const { stack, signal, progress, waitingFor } = context;
    waitingFor('the Kubernetes API');
    const client = await connectKubernetes(kubeTarget(stack));
    const manifest = await rendered(args, context);
    const done = await applyManifest(manifest, { client, workspace: stack.workspace, signal, progress, force: args.force });
    return done.length === 0 ? 'nothing was left to do' : done.join('; ');
  },

  async remove(args, context) {
    const { stack, signal, progress } = context;
    const client = await connected(context);
    await removeManifest(client, ownershipOf(stack, args.manifest), { signal, note: progress });
    await rm(generatedFile(stack.workspace, args.manifest), { force: true });
  },
});
