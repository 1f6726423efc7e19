import { stackCatalog } from '../../../src/clients/iceberg.js';
import { icebergNamespace } from '../../../src/modules/iceberg-namespace.js';
import { icebergTable } from '../../../src/modules/iceberg-table.js';
import { catalogWarehouse } from '../../../src/modules/iceberg-warehouse.js';
import { withFakePolaris, type PolarisWorld } from '../../helpers/fake-polaris/world.js';
import { s3 } from '../../helpers/servers.js';
import { withClosedPort, type TestWorld } from '../../helpers/world.js';
import type { ContractCase } from './types.js';

const namespace = `contract_ns_${process.pid}`;
const inTable = `contract_tables_${process.pid}`;
const bucketOf = ({ stack }: TestWorld): string => stack.config.lake.bucket;
const away = (world: TestWorld): Promise<TestWorld> => withClosedPort(world, 'catalog');
const table = {
  namespace: inTable,
  name: 'scores',
  columns: [
    { name: 'player', type: 'string', required: true },
    { name: 'total', type: 'long', required: true },
    { name: 'average', type: 'decimal(28,10)', required: false },
    { name: 'at', type: 'timestamptz', required: true },
  ],
  partition: ['day(at)', 'player'],
  sort: ['total desc', 'player asc nulls last'],
  properties: { 'write.target-file-size-bytes': '1048576' },
};
const unsorted = { 'order-id': 0, fields: [] };

/** The same table as somebody else would make it. */
async function madeAgain(world: TestWorld, without: string, spec: unknown[], version = '2'): Promise<void> {
  const catalog = stackCatalog(world.stack);
  await catalog.dropTable(inTable, 'scores');
  const fields = table.columns.map((column, at) => ({ id: at + 1, ...column })).filter(({ name }) => name !== without);
  await catalog.createTable(inTable, {
    name: 'scores',
    schema: { type: 'struct', 'schema-id': 0, fields },
    'partition-spec': { 'spec-id': 0, fields: spec as [] },
    'write-order': unsorted,
    properties: { 'format-version': version },
  });
}

const tableDrift: ContractCase['drift'] = [
  {
    what: 'dropped',
    make: async ({ stack }) => {
      await stackCatalog(stack).dropTable(inTable, 'scores');
    },
  },
  { what: 'an optional column, partitions, order and a property missing', make: (world) => madeAgain(world, 'average', []) },
  {
    what: 'other partitions',
    make: (world) => madeAgain(world, '', [{ 'source-id': 4, 'field-id': 1000, name: 'at_hour', transform: 'hour' }]),
  },
  { what: 'format version 1', make: (world) => madeAgain(world, '', [], '1') },
];

export const cases: ContractCase[] = [
  {
    module: catalogWarehouse,
    title: "the Iceberg REST catalog's folder",
    args: (world) => ({ location: `s3://${bucketOf(world)}/contract-${process.pid}` }),
    drift: [
      {
        what: 'the storage lost its objects',
        make: async (world) => (await s3(world)).deleteObject(bucketOf(world), `contract-${process.pid}/.forge-warehouse`),
      },
    ],
    unreachable: away,
  },
  {
    module: icebergNamespace,
    title: 'with a property',
    args: () => ({ name: namespace, properties: { owner: 'contract' } }),
    drift: [
      {
        what: 'dropped',
        make: async ({ stack }) => {
          await stackCatalog(stack).dropNamespace(namespace);
        },
      },
      { what: 'another property', make: ({ stack }) => stackCatalog(stack).updateProperties(namespace, { owner: 'somebody' }, []) },
      { what: 'a property removed', make: ({ stack }) => stackCatalog(stack).updateProperties(namespace, {}, ['owner']) },
    ],
    unreachable: away,
    cleanup: async ({ stack }) => {
      await stackCatalog(stack).dropNamespace(namespace);
    },
  },
  {
    module: icebergTable,
    title: 'on the real catalog',
    args: async ({ stack }) => {
      await stackCatalog(stack).createNamespace(inTable, {});
      return table;
    },
    drift: [
      ...tableDrift,
      {
        what: 'its metadata gone from the storage',
        make: async (world) => {
          const loaded = await stackCatalog(world.stack).loadTable(inTable, 'scores');
          const { hostname, pathname } = new URL(loaded!['metadata-location']!);
          await (await s3(world)).deleteObject(hostname, pathname.slice(1));
        },
      },
    ],
    unreachable: away,
    cleanup: async ({ stack }) => {
      await stackCatalog(stack).dropTable(inTable, 'scores');
      await stackCatalog(stack).dropNamespace(inTable);
    },
  },
  {
    module: icebergTable,
    title: 'through Polaris (a fake), as a principal with a grant',
    world: withFakePolaris,
    args: async (world) => {
      const { stack, polaris } = world as PolarisWorld;
      const { catalog, bucket } = stack.config.lake;
      const base = `s3://${bucket}/warehouse`;
      await polaris.createCatalog({
        name: catalog,
        type: 'INTERNAL',
        properties: { 'default-base-location': base },
        storageConfigInfo: { storageType: 'S3', allowedLocations: [base] },
      });
      const made = await polaris.createPrincipal('contract_user');
      const { clientId, clientSecret } = made!.credentials;
      await stack.credentials.write('polaris-principal', { clientId: clientId.reveal(), clientSecret: clientSecret.reveal() });
      await polaris.createPrincipalRole('contract_role');
      await polaris.createCatalogRole(catalog, 'contract_sudo');
      await polaris.assignPrincipalRole('contract_user', 'contract_role');
      await polaris.assignCatalogRole('contract_role', catalog, 'contract_sudo');
      await polaris.grant(catalog, 'contract_sudo', 'CATALOG_MANAGE_CONTENT');
      await stackCatalog(stack).createNamespace(inTable, {});
      return table;
    },
    drift: tableDrift,
    unreachable: away,
    cleanup: (world) => (world as PolarisWorld).stop(),
  },
];
