import { join } from 'node:path';
import type { PolarisCatalog } from '../../../src/clients/polaris.js';
import { polarisCatalogRoleAssignment } from '../../../src/modules/polaris-catalog-role-assignment.js';
import { polarisCatalogRole } from '../../../src/modules/polaris-catalog-role.js';
import { polarisCatalog } from '../../../src/modules/polaris-catalog.js';
import { polarisGrant } from '../../../src/modules/polaris-grant.js';
import { polarisPrincipalRoleAssignment } from '../../../src/modules/polaris-principal-role-assignment.js';
import { polarisPrincipalRole } from '../../../src/modules/polaris-principal-role.js';
import { polarisPrincipal } from '../../../src/modules/polaris-principal.js';
import { polarisRealm } from '../../../src/modules/polaris-realm.js';
import { makeFakeDistribution } from '../../helpers/fake-polaris/distribution.js';
import { withFakePolaris, type PolarisWorld } from '../../helpers/fake-polaris/world.js';
import { sql } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const catalog = 'contract-lake';
const bucket = 'contract-lake';
const of = (world: TestWorld): PolarisWorld => world as PolarisWorld;
const away = (world: TestWorld): Promise<TestWorld> => withClosedPort(world, 'catalog');
const common = {
  world: withFakePolaris,
  unreachable: away,
  cleanup: (world: TestWorld) => of(world).stop(),
} satisfies Partial<ContractCase>;

const lake: PolarisCatalog = {
  name: catalog,
  type: 'INTERNAL',
  properties: { 'default-base-location': `s3://${bucket}/warehouse` },
  storageConfigInfo: { storageType: 'S3' },
};

/** Changes a catalog behind forge's back. */
async function change(world: TestWorld, how: (is: PolarisCatalog) => PolarisCatalog): Promise<void> {
  const is = (await of(world).polaris.getCatalog(catalog))!;
  await of(world).polaris.updateCatalog(how(is));
}

const database = `contract_polaris_${process.pid}`;

/** Nobody listens yet: the realm is made before the server starts. */
async function withDistribution(world: TestWorld): Promise<TestWorld> {
  const fake = await withFakePolaris(world);
  await fake.stop();
  const home = join(world.scratch, 'polaris-bin-1.4.1');
  await makeFakeDistribution(home);
  const { config } = fake.stack;
  const stack = {
    ...fake.stack,
    config: { ...config, components: { ...config.components, polaris: { ...config.components.polaris, home } } },
  };
  const owner = world.stack.credentials.get('catalog-db')['username']!.reveal();
  await sql(world, `CREATE DATABASE ${database} OWNER ${owner}`);
  return withClosedPort({ ...fake, stack }, 'catalog');
}

export const cases: ContractCase[] = [
  {
    module: polarisRealm,
    title: 'bootstrapped by bin/admin before the server starts',
    world: withDistribution,
    args: () => ({ database }),
    drift: [
      {
        what: 'purged',
        make: async (world) => {
          await sql(world, 'DROP SCHEMA polaris_schema CASCADE', database);
        },
      },
    ],
    unreachable: (world) => withClosedPort(world, 'postgresql'),
    cleanup: async (world) => {
      await sql(world, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    },
  },
  {
    ...common,
    module: polarisCatalog,
    title: 'on a bucket',
    args: () => ({ name: catalog, bucket }),
    drift: [
      {
        what: 'deleted',
        make: async (world) => {
          await of(world).polaris.deleteCatalog(catalog);
        },
      },
      {
        what: 'another base',
        make: (world) => change(world, (is) => ({ ...is, properties: { 'default-base-location': 's3://elsewhere/x' } })),
      },
      {
        what: 'another endpoint',
        make: (world) => change(world, (is) => ({ ...is, storageConfigInfo: { ...is.storageConfigInfo, endpoint: 'http://10.0.0.1:1' } })),
      },
      {
        what: 'vending switched off',
        make: (world) =>
          change(world, (is) => {
            const { roleArn: _, stsEndpoint: __, ...rest } = is.storageConfigInfo;
            return { ...is, storageConfigInfo: rest };
          }),
      },
    ],
  },
  {
    ...common,
    module: polarisPrincipal,
    title: 'with credentials in the workspace',
    args: () => ({ name: 'contract_user' }),
    drift: [
      { what: 'credentials lost', make: (world) => world.stack.credentials.remove('polaris-principal') },
      {
        what: 'credentials reset by somebody',
        make: async (world) => {
          await of(world).polaris.resetCredentials('contract_user');
        },
      },
      {
        what: "another principal's credentials",
        make: (world) => world.stack.credentials.write('polaris-principal', { clientId: 'someone', clientSecret: 'somebody-else' }),
      },
      {
        what: 'deleted',
        make: async (world) => {
          await of(world).polaris.deletePrincipal('contract_user');
        },
      },
    ],
  },
  {
    ...common,
    module: polarisPrincipalRole,
    title: 'a role',
    args: () => ({ name: 'contract_role' }),
    drift: [
      {
        what: 'deleted',
        make: async (world) => {
          await of(world).polaris.deletePrincipalRole('contract_role');
        },
      },
    ],
  },
  {
    ...common,
    module: polarisCatalogRole,
    title: 'a role of a catalog',
    args: async (world) => {
      await of(world).polaris.createCatalog(lake);
      return { catalog, name: 'contract_sudo' };
    },
    drift: [
      {
        what: 'deleted',
        make: async (world) => {
          await of(world).polaris.deleteCatalogRole(catalog, 'contract_sudo');
        },
      },
    ],
  },
  {
    ...common,
    module: polarisPrincipalRoleAssignment,
    title: 'a principal with a role',
    args: async (world) => {
      await of(world).polaris.createPrincipal('contract_user');
      await of(world).polaris.createPrincipalRole('contract_role');
      return { principal: 'contract_user', role: 'contract_role' };
    },
    drift: [{ what: 'revoked', make: (world) => of(world).polaris.revokePrincipalRole('contract_user', 'contract_role') }],
  },
  {
    ...common,
    module: polarisCatalogRoleAssignment,
    title: 'a role with a catalog role',
    args: async (world) => {
      await of(world).polaris.createCatalog(lake);
      await of(world).polaris.createPrincipalRole('contract_role');
      await of(world).polaris.createCatalogRole(catalog, 'contract_sudo');
      return { role: 'contract_role', catalog, catalogRole: 'contract_sudo' };
    },
    drift: [{ what: 'revoked', make: (world) => of(world).polaris.revokeCatalogRole('contract_role', catalog, 'contract_sudo') }],
  },
  {
    ...common,
    module: polarisGrant,
    title: 'a privilege on the catalog',
    args: async (world) => {
      await of(world).polaris.createCatalog(lake);
      await of(world).polaris.createCatalogRole(catalog, 'contract_sudo');
      return { catalog, catalogRole: 'contract_sudo', privilege: 'CATALOG_MANAGE_CONTENT' };
    },
    drift: [{ what: 'revoked', make: (world) => of(world).polaris.revoke(catalog, 'contract_sudo', 'CATALOG_MANAGE_CONTENT') }],
  },
];
