import type { Check } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { s3Answers } from './s3-answers.js';
import { s3Region } from './s3-region.js';
import { s3RoundTrip } from './s3-round-trip.js';

export const s3Checks: readonly Check[] = [
  s3Answers,
  driftCheck({
    id: 'bucket-missing',
    group: 's3',
    title: 'The bucket of the tables is there',
    modules: ['s3.bucket'],
    needs: ['s3-answers'],
    component: 'localstack',
    wrong: () => 'The bucket of the tables is missing',
  }),
  s3Region,
  s3RoundTrip,
];
