import { s3Bucket } from '../../../src/modules/s3-bucket.js';
import { s3 } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const name = `contract-bucket-${process.pid}`;
const drop = async (world: TestWorld) => {
  await (await s3(world)).deleteBucket(name);
};

export const cases: ContractCase[] = [
  {
    module: s3Bucket,
    title: 'a bucket',
    args: () => ({ name }),
    drift: [{ what: 'deleted', make: drop }],
    unreachable: (world) => withClosedPort(world, 'localstack'),
    cleanup: drop,
  },
];
