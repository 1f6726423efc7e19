import type { S3Client } from '../../../clients/s3.js';
import { s3Of } from '../../../modules/connect.js';
import type { StackPlace } from '../../check.js';
import { requireRunning } from '../running.js';

/** The object store of the tables. */
export async function connectStackS3(place: StackPlace): Promise<S3Client> {
  await requireRunning(place, 'localstack');
  return s3Of(place);
}
