import { postgresqlDatabase } from '../../../src/modules/postgresql-database.js';
import { postgresqlRole } from '../../../src/modules/postgresql-role.js';
import { Secret } from '../../../src/workspace/secret.js';
import { sql } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const role = `contract_role_${process.pid}`;
const other = `contract_other_${process.pid}`;
const database = `contract_database_${process.pid}`;

const behind = (text: string) => async (world: TestWorld) => {
  await sql(world, text);
};

export const cases: ContractCase[] = [
  {
    module: postgresqlRole,
    title: 'a role whose password has every awkward character',
    args: () => ({ name: role, password: new Secret(`it's "a" \\ pass wörd $1 %`) }),
    drift: [
      { what: 'dropped', make: behind(`DROP ROLE ${role}`) },
      { what: 'another password', make: behind(`ALTER ROLE ${role} PASSWORD 'another one'`) },
      { what: 'login taken away', make: behind(`ALTER ROLE ${role} NOLOGIN`) },
      { what: 'password expired', make: behind(`ALTER ROLE ${role} VALID UNTIL '2001-01-01'`) },
    ],
    unreachable: (world) => withClosedPort(world, 'postgresql'),
    cleanup: behind(`DROP ROLE IF EXISTS ${role}`),
  },
  {
    module: postgresqlDatabase,
    title: 'a database of another role',
    args: async (world) => {
      await sql(world, `CREATE ROLE ${other}`);
      return { name: database, owner: other };
    },
    drift: [
      { what: 'dropped', make: behind(`DROP DATABASE ${database}`) },
      { what: 'another owner', make: behind(`ALTER DATABASE ${database} OWNER TO CURRENT_USER`) },
    ],
    unreachable: (world) => withClosedPort(world, 'postgresql'),
    cleanup: async (world) => {
      await sql(world, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await sql(world, `DROP ROLE IF EXISTS ${other}`);
    },
  },
];
