import { z } from 'zod';
import type { PostgresClient } from '../clients/postgresql.js';
import { postgresAdmin } from './connect.js';
import { defineModule, type Difference, type TaskContext } from './contract.js';

const type = z
  .string()
  .regex(
    /^(text|bigint|integer|boolean|double precision|date|timestamptz|numeric\([0-9]+,[0-9]+\))$/,
    'expected text, bigint, integer, boolean, double precision, date, timestamptz or numeric(precision,scale)',
  );

const schema = z
  .strictObject({
    name: z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, 'expected a lower-case SQL name'),
    database: z.string().min(1).max(63),
    owner: z.string().min(1).max(63).describe('Role that writes the rows'),
    columns: z.record(z.string(), type).describe('Column types by name, in order'),
    key: z.array(z.string()).min(1).describe('The columns that tell rows apart'),
  })
  .refine(({ columns, key }) => key.every((name) => name in columns), { path: ['key'], error: 'names a column that `columns` has not' });
type Args = z.output<typeof schema>;

interface Relation {
  kind: string;
  owner: string;
  columns: { name: string; type: string }[] | null;
  key: string[] | null;
}

const KINDS: Record<string, string> = { r: 'TABLE', v: 'VIEW', m: 'MATERIALIZED VIEW' };

const FIND = `
  SELECT c.relkind AS kind, pg_get_userbyid(c.relowner) AS owner,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT json_agg(a.attname ORDER BY array_position(i.indkey::int2[], a.attnum))
       FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = c.oid AND i.indisprimary) AS key
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1`;

async function inDatabase<T>(args: Args, context: TaskContext, use: (client: PostgresClient) => Promise<T>): Promise<T> {
  const { withPostgres } = await import('../clients/postgresql.js');
  return withPostgres(postgresAdmin(context, args.database), use, { signal: context.signal });
}

function compare(args: Args, found: Relation): Difference[] {
  const differences: Difference[] = [];
  const check = (field: string, is = 'missing', should = 'missing') => {
    if (is !== should) differences.push({ field, is, should });
  };
  check('kind', KINDS[found.kind] ?? found.kind, 'TABLE');
  if (differences.length > 0) return differences;
  const columns = Object.fromEntries((found.columns ?? []).map(({ name, type }) => [name, type]));
  for (const name of new Set([...Object.keys(args.columns), ...Object.keys(columns)]))
    check(`column ${name}`, columns[name], args.columns[name]?.replace(/^timestamptz$/, 'timestamp with time zone'));
  check('key', (found.key ?? []).join(', ') || 'missing', args.key.join(', '));
  check('owner', found.owner, args.owner);
  return differences;
}

export const sqlView = defineModule<Args>({
  name: 'sql.view',
  summary: "The table in PostgreSQL that holds a view's current values by key",
  schema,
  timeoutSeconds: 30,

  async observe(args, context) {
    const { isNoDatabase } = await import('../clients/postgresql.js');
    const [found] = await inDatabase(args, context, (client) => client.query<Relation>(FIND, [args.name])).catch((error: unknown) => {
      // Without the database there is no view either.
      if (isNoDatabase(error)) return [];
      throw error;
    });
    if (found === undefined) return { state: 'missing', message: `no view ${args.name}` };
    const diff = compare(args, found);
    if (diff.length === 0) return { state: 'in-sync' };
    return { state: 'drifted', message: diff.map(({ field, is, should }) => `${field} is ${is} instead of ${should}`).join('; '), diff };
  },

  async apply(args, observation, context) {
    const { quoteIdentifier: quote } = await import('../clients/postgresql.js');
    const relation = `public.${quote(args.name)}`;
    const columns = Object.entries(args.columns).map(([name, of]) => `${quote(name)} ${of}`);
    const create = `CREATE TABLE ${relation} (${columns.join(', ')}, PRIMARY KEY (${args.key.map(quote).join(', ')}))`;
    const give = `ALTER TABLE ${relation} OWNER TO ${quote(args.owner)}`;
    return inDatabase(args, context, async (client) => {
      if (observation.state === 'drifted' && observation.diff.every(({ field }) => field === 'owner')) {
        await client.query(give);
        return `view ${args.name}: ${observation.message}; given to ${args.owner}`;
      }
      const kind = observation.state === 'drifted' ? (observation.diff.find(({ field }) => field === 'kind')?.is ?? 'TABLE') : undefined;
      const drop = kind === undefined ? '' : `DROP ${kind} ${relation};`;
      // One message is one transaction: there is never a moment without the view, or one that belongs to someone else.
      await client.query(`${drop} ${create}; ${give}`);
      return observation.state === 'missing'
        ? `view ${args.name} was missing; created, its rows come with the job`
        : `view ${args.name}: ${observation.message}; recreated, its rows come back with the job`;
    });
  },

  async remove(args, context) {
    const { isNoDatabase, quoteIdentifier: quote } = await import('../clients/postgresql.js');
    await inDatabase(args, context, async (client) => {
      const [found] = await client.query<Relation>(FIND, [args.name]);
      if (found?.kind === 'r') await client.query(`DROP TABLE public.${quote(args.name)}`);
    }).catch((error: unknown) => {
      if (!isNoDatabase(error)) throw error;
    });
  },
});
