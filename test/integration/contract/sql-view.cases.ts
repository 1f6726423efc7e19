import { sqlView } from '../../../src/modules/sql-view.js';
import { sql } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const name = `mv_contract_${process.pid}`;
const behind = (text: string) => async (world: TestWorld) => {
  await sql(world, text, world.stack.config.views.database);
};

export const cases: ContractCase[] = [
  {
    module: sqlView,
    title: 'every type that the views have, and a key in another order than the columns',
    args: ({ stack }) => ({
      name,
      database: stack.config.views.database,
      owner: 'views',
      columns: { player: 'text', balloon_color: 'text', pops: 'bigint', average: 'numeric(28,10)', window_start: 'timestamptz' },
      key: ['balloon_color', 'player'],
    }),
    drift: [
      { what: 'dropped', make: behind(`DROP TABLE ${name}`) },
      { what: 'a column missing', make: behind(`ALTER TABLE ${name} DROP COLUMN pops`) },
      { what: 'a column too many', make: behind(`ALTER TABLE ${name} ADD COLUMN extra text`) },
      { what: 'a column of another type', make: behind(`ALTER TABLE ${name} ALTER COLUMN average TYPE numeric(10,2)`) },
      { what: 'no key', make: behind(`ALTER TABLE ${name} DROP CONSTRAINT ${name}_pkey`) },
      {
        what: 'another key',
        make: behind(`ALTER TABLE ${name} DROP CONSTRAINT ${name}_pkey, ADD CONSTRAINT ${name}_pkey PRIMARY KEY (player)`),
      },
      { what: 'another owner', make: behind(`ALTER TABLE ${name} OWNER TO CURRENT_USER`) },
      { what: 'an ordinary view in its place', make: behind(`DROP TABLE ${name}; CREATE VIEW ${name} AS SELECT 1 AS one`) },
    ],
    unreachable: (world) => withClosedPort(world, 'postgresql'),
    cleanup: behind(`DROP TABLE IF EXISTS ${name}`),
  },
];
