import { withPostgres } from '../../clients/postgresql.js';
import type { Probe } from '../../runtimes/types.js';
import type { StackContext } from '../../workspace/context.js';
import { Secret } from '../../workspace/secret.js';
import { portOf, type Component } from '../component.js';
import { mebibytes, quantity } from '../size.js';

const name = 'risingwave';

/** RisingWave's own superuser has no password, and its database is `dev`. */
function probe(context: StackContext): Probe {
  const port = portOf(context, name);
  return {
    description: `RisingWave answers on 127.0.0.1:${port}`,
    async check(signal) {
      const target = { host: '127.0.0.1', port, user: 'root', password: new Secret(''), database: 'dev' };
      const rows = await withPostgres(target, (client) => client.query('SELECT 1 AS one'), { signal });
      return rows.length === 1;
    },
  };
}

/** RisingWave, whole in one pod; it cannot be had as a process. */
export const risingwave: Component = {
  name,
  endpoint: name,
  probe,
  kubernetes: {
    namespace: name,
    workloads: [{ kind: 'StatefulSet', name }],
    images: ['risingwave'],
    // The memory is a promise to RisingWave, which panics at its start where it is not there; the JVM's comes on top.
    values({ config }) {
      const { memory, heap } = config.components.risingwave;
      return {
        memoryBytes: String(mebibytes(memory) * 1024 * 1024),
        request: `${Math.ceil(mebibytes(memory) / 2)}Mi`,
        limit: quantity(memory, mebibytes(heap) + 256),
      };
    },
  },
};
