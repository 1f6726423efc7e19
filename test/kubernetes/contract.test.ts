import { afterAll, beforeAll } from 'vitest';
import { casesIn, describeContract } from '../helpers/contract.js';
import { ownClusterAt, type OwnCluster } from '../helpers/own-cluster.js';

// One cluster for all cases: the first makes it.
let cluster: OwnCluster;
beforeAll(async () => void (cluster = await ownClusterAt('contract')));
afterAll(() => cluster.remove());

describeContract(await casesIn(new URL('contract/', import.meta.url)), () =>
  Promise.resolve({ stack: cluster.stack, scratch: cluster.root, close: () => Promise.resolve() }),
);
