import { z } from 'zod';
import { s3Of } from './connect.js';
import { defineModule } from './contract.js';

const schema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected a bucket name (3 to 63 lower-case letters, digits, dots, hyphens)'),
});

export const s3Bucket = defineModule<z.output<typeof schema>>({
  name: 's3.bucket',
  summary: 'An S3 bucket; removing it removes the objects in it',
  schema,
  timeoutSeconds: 120,

  async observe({ name }, context) {
    const s3 = await s3Of(context);
    return (await s3.headBucket(name)) ? { state: 'in-sync' } : { state: 'missing', message: `no bucket ${name}` };
  },

  async apply({ name }, _, context) {
    const s3 = await s3Of(context);
    await s3.createBucket(name);
    return `bucket ${name} was missing; created`;
  },

  async remove({ name }, context) {
    const s3 = await s3Of(context);
    await s3.deleteBucket(name);
  },
});
