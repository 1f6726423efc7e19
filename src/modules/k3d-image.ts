import { z } from 'zod';
import { IMAGE_NAMES } from '../config/schema.js';
import { imagesHere } from '../runtimes/k3d/choice.js';
import { imageOf } from '../runtimes/k3d/config.js';
import { lookingAt } from '../runtimes/k3d/gathered.js';
import { nodeImages } from '../runtimes/k3d/images.js';
import { bringImage } from '../runtimes/k3d/import.js';
import { clusterName } from '../runtimes/k3d/name.js';
import { qualified } from '../runtimes/k3d/reference.js';
import { defineModule, type TaskContext } from './contract.js';

const schema = z.strictObject({ image: z.enum(IMAGE_NAMES) });
type Args = z.output<typeof schema>;

const referenceOf = async ({ image }: Args, { stack, signal }: TaskContext): Promise<string> =>
  imageOf({ images: await imagesHere(stack, [image], signal) }, image);

/** An image in the node of forge's own cluster. It goes with the cluster; what Docker holds of it stays, as a cache. */
export const k3dImage = defineModule<Args>({
  name: 'k3d.image',
  summary: 'An image, in the node of the k3d cluster, pulled where this machine has none',
  schema,
  // Pulling has a budget of its own, apart from that of the pods that wait for it.
  timeoutSeconds: 1800,

  async observe(args, context) {
    const reference = await referenceOf(args, context);
    const held = await nodeImages(clusterName(context.stack), lookingAt(context.stack, context.signal));
    return held.has(qualified(reference)) ? { state: 'in-sync' } : { state: 'missing', message: `${reference} is not in the cluster` };
  },

  async apply(args, _observation, context) {
    const { stack, signal, progress, waitingFor } = context;
    const reference = await referenceOf(args, context);
    waitingFor(`${reference} to be brought into the cluster`);
    const { pulled } = await bringImage(reference, clusterName(stack), { signal, progress, offline: stack.orders?.offline ?? false });
    return `${reference} ${pulled ? 'pulled and ' : ''}brought into the cluster`;
  },
});
