import { kafkaTopic } from '../../../src/modules/kafka-topic.js';
import { kafka } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const name = `contract-topic-${process.pid}`;
const drop = async (world: TestWorld) => {
  await kafka(world, (admin) => admin.deleteTopic(name));
};

export const cases: ContractCase[] = [
  {
    module: kafkaTopic,
    title: 'three partitions and a setting',
    args: () => ({ name, partitions: 3, config: { 'retention.ms': '3600000' } }),
    drift: [
      { what: 'deleted', make: drop },
      {
        what: 'made again by someone with one partition',
        make: (world) =>
          kafka(world, async (admin) => {
            await admin.deleteTopic(name);
            await admin.createTopic({ name, partitions: 1 });
          }),
      },
      { what: 'another retention', make: (world) => kafka(world, (admin) => admin.setTopicConfig(name, { 'retention.ms': '1000' })) },
    ],
    unreachable: (world) => withClosedPort(world, 'kafka'),
    cleanup: drop,
  },
];
