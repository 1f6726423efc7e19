import { s3Bucket } from '../../../src/modules/s3-bucket.js';
import { s3 } from '../../helpers/servers.js';
import { withClosedPort } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const name = `contract-bucket-${process.pid}`;

export const cases: ContractCase[] = [
  {
    module: s3Bucket,
    title: 'a bucket',
    args: () => ({ name }),
    drift: [{ what: 'deleted', make: async (world) => void (await (await s3(world)).deleteBucket(name)) }],
    unreachable: (world) => withClosedPort(world, 'localstack'),
    cleanup: async (world) => void (await (await s3(world)).deleteBucket(name)),
  },
];
