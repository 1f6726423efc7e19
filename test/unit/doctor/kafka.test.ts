import { describe, expect, it } from 'vitest';
import { advertisedWrong } from '../../../src/doctor/checks/kafka/kafka-advertised.js';
import { topicSettings } from '../../../src/doctor/checks/kafka/topic-settings.js';
import { placeOf } from '../../helpers/doctor-place.js';

describe('what Kafka tells its clients', () => {
  const inside = { host: 'kafka.kafka', port: 9092, url: 'kafka.kafka:9092' };
  const endpoints = { kafka: { host: '127.0.0.1', port: 19094, url: '127.0.0.1:19094', inside } };
  const told = (port: number, listeners?: string): string | undefined =>
    advertisedWrong({ endpoints }, { address: '127.0.0.1:19094', advertised: { host: '127.0.0.1', port }, listeners });

  it('is right where both addresses are those of the stack, or the inner one is not told', () => {
    expect(told(19094)).toBeUndefined();
    expect(told(19094, 'PLAINTEXT://127.0.0.1:19094')).toBeUndefined();
    expect(told(19094, 'INSIDE://kafka.kafka:9092,OUTSIDE://127.0.0.1:19094')).toBeUndefined();
  });
  it('is wrong for those on this machine, or for those inside', () => {
    expect(told(9094)).toMatch(/answers on 127\.0\.0\.1:19094, and tells its clients to go to 127\.0\.0\.1:9094/);
    const unreachable = 'Kafka answers here and tells its clients to use another address';
    expect(advertisedWrong({ endpoints }, { address: '127.0.0.1:19094', advertised: { unreachable }, listeners: undefined })).toContain(
      unreachable,
    );
    expect(told(19094, 'INSIDE://localhost:9092,OUTSIDE://127.0.0.1:19094')).toMatch(
      /to localhost:9092, and they reach it at kafka\.kafka:9092/,
    );
  });
});

describe('a topic with other partitions', () => {
  const look = (is: string): ReturnType<typeof topicSettings.look> =>
    topicSettings.look(
      placeOf({
        tasks: [{ id: 'topic', module: 'kafka.topic', state: 'drifted', message: 'p', diff: [{ field: 'partitions', is, should: '2' }] }],
      }),
    );
  it('can be given more, not fewer', async () => {
    expect((await look('1'))[0]).toMatchObject({ fix: { up: true } });
    const [tooMany] = await look('3');
    expect([tooMany?.fix, tooMany?.remedy]).toEqual([undefined, expect.stringContaining('Set topic.partitions to 3')]);
  });
});
