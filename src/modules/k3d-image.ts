import { z } from 'zod';
import { IMAGE_NAMES } from '../config/schema.js';
import { imageOf } from '../runtimes/k3d/config.js';
import { nodeImages } from '../runtimes/k3d/images.js';
import { bringImage } from '../runtimes/k3d/import.js';
import { clusterName } from '../runtimes/k3d/name.js';
import { qualified } from '../runtimes/k3d/reference.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({ image: z.enum(IMAGE_NAMES) });

/** An image in the node of forge's own cluster. It goes with the cluster; what Docker holds of it stays, as a cache. */
export const k3dImage = defineModule<z.output<typeof schema>>({
  name: 'k3d.image',
  summary: 'An image, in the node of the k3d cluster, pulled where this machine has none',
  schema,
  // Pulling has a budget of its own, apart from that of the pods that wait for it.
  timeoutSeconds: 1800,

  async observe({ image }, { stack }) {
    const reference = imageOf(stack, image);
    const held = await nodeImages(clusterName(stack));
    return held.has(qualified(reference)) ? { state: 'in-sync' } : { state: 'missing', message: `${reference} is not in the cluster` };
  },

  async apply({ image }, _observation, { stack, signal, progress, waitingFor }) {
    const reference = imageOf(stack, image);
    waitingFor(`${reference} to be brought into the cluster`);
    const { pulled } = await bringImage(reference, clusterName(stack), { signal, progress, offline: stack.orders?.offline ?? false });
    return `${reference} ${pulled ? 'pulled and ' : ''}brought into the cluster`;
  },
});
