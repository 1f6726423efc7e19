import { randomUUID } from 'node:crypto';
import { messageOf } from '../../../errors.js';
import type { Check, Trouble } from '../../check.js';
import { promptS3 } from './facts.js';

/** forge's own, beside what the tables have; nothing stays there. */
const PREFIX = '.forge-doctor';

/** Writes an object, reads it again and deletes it. */
export const s3RoundTrip: Check = {
  id: 's3-round-trip',
  group: 's3',
  title: 'The object store takes an object, gives it back and deletes it',
  needs: ['s3-answers', 'bucket-missing'],
  seconds: 8,
  async look(place) {
    const { bucket } = place.stack.config.lake;
    const s3 = await promptS3(place);
    const key = `${PREFIX}/${randomUUID()}`;
    try {
      await s3.putObject(bucket, key, key);
      const back = await s3.getObject(bucket, key).finally(() => s3.deleteObject(bucket, key));
      return back !== undefined && Buffer.from(back).toString() === key
        ? []
        : [trouble(`It took ${bucket}/${key} and gives ${back === undefined ? 'nothing' : 'something else'} back`)];
    } catch (error) {
      place.signal.throwIfAborted();
      return [trouble(messageOf(error))];
    }
  },
};

const trouble = (cause: string): Trouble => ({
  component: 'localstack',
  title: 'The object store answers, but does not take an object and give it back',
  cause,
  remedy: 'See `forge logs localstack`: a full disk shows there',
});
