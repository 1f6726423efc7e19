import type { Check } from '../../check.js';
import { bucketFacts } from './facts.js';

/** A bucket stays where it was made: a region that was changed in forge.yaml since does not move it. */
export const s3Region: Check = {
  id: 's3-region',
  group: 's3',
  title: 'The bucket is in the region of the settings',
  severity: 'warning',
  needs: ['s3-answers', 'bucket-missing'],
  async look(place) {
    const { bucket, region } = place.stack.config.lake;
    const is = (await bucketFacts(place))?.region;
    if (is === undefined || is === region) return [];
    return [
      {
        component: 'localstack',
        title: `The bucket ${bucket} is in another region than forge.yaml says`,
        cause: `It was made in ${is}, and lake.region is ${region}: clients that sign for ${region} are refused by stores that look`,
        remedy: `Set lake.region to ${is}, or make the stack anew, which loses its data: \`forge down\`, then \`forge up\``,
      },
    ];
  },
};
