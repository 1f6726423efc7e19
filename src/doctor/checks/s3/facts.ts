import type { S3Client } from '../../../clients/s3.js';
import { s3Of } from '../../../modules/connect.js';
import type { StackPlace } from '../../check.js';

const ANSWER_MS = 3_000;

/** The object store, which has to answer soon: paths as `http://HOST/BUCKET/KEY`, which is what all its clients use. */
export const promptS3 = (place: Pick<StackPlace, 'stack' | 'signal'>): Promise<S3Client> => s3Of(place, { timeoutMs: ANSWER_MS });

/** Whether the bucket is there, and in which region as far as the store tells. */
export const bucketFacts = (place: StackPlace): Promise<{ region: string | undefined } | undefined> =>
  place.share('s3', async (signal) => (await promptS3({ stack: place.stack, signal })).bucket(place.stack.config.lake.bucket));
