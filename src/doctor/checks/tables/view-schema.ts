import { tableFacts } from '../../../clients/iceberg.js';
import { withViews } from '../../pipeline.js';
import type { Check, StackPlace } from '../../check.js';
import { onFlink } from '../engine/flink.js';
import { requireInSync, requireRunning } from '../running.js';
import { loadedTables } from './loaded.js';

/** What a view may call a type of Iceberg's. */
const SAME: Record<string, RegExp> = {
  string: /^(text|character varying|varchar)$/,
  long: /^(bigint|integer)$/,
  int: /^(integer|bigint|smallint)$/,
  boolean: /^boolean$/,
  double: /^double precision$/,
  timestamptz: /^timestamp with time zone$/,
  timestamp: /^timestamp without time zone$/,
  date: /^date$/,
  decimal: /^numeric/,
};

interface Column {
  view: string;
  name: string;
  type: string;
}

/** Every column of the views. */
async function columnsOf(place: StackPlace, database: string, views: string[]): Promise<Column[]> {
  const names = views.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ');
  const sql = `SELECT table_name AS view, column_name AS name, data_type AS type FROM information_schema.columns WHERE table_name IN (${names})`;
  return withViews(place.stack, database, (client) => client.query<Column>(sql), place.signal);
}

/** Whether a view and the table of the same name have the same columns, of types that go together. */
export const viewSchema: Check = {
  id: 'view-schema',
  group: 'tables',
  title: 'Views and tables of the same name have the same columns',
  needs: ['postgresql-answers', 'catalog-answers', 's3-answers'],
  seconds: 10,
  // RisingWave compares a sink with its table itself, when it is made.
  concerns: onFlink,
  async look(place) {
    await requireRunning(place, 'postgresql');
    const { views } = place.pipeline;
    const databases = [...new Set(views.map(({ database }) => database))];
    const [tables, ...found] = await Promise.all([
      loadedTables(place),
      ...databases.map((database) =>
        columnsOf(
          place,
          database,
          views.filter((view) => view.database === database).map(({ name }) => name),
        ),
      ),
    ]);
    const columns = found.flat();
    const differences = views.flatMap(({ name: view }) => {
      const table = tables.get(view.replace(/^mv_/, ''));
      const own = columns.filter((column) => column.view === view);
      // A view that is not there is another finding.
      if (table === undefined || own.length === 0) return [];
      return tableFacts(table).schema.fields.flatMap(({ name, type }) => {
        const is = own.find((column) => column.name === name)?.type;
        const kind = typeof type === 'string' ? type.replace(/\(.*$/, '') : '';
        const fits = is !== undefined && (SAME[kind]?.test(is) ?? true);
        return fits ? [] : [`${view}.${name} is ${is ?? 'missing'}, and in the table ${typeof type === 'string' ? type : 'nested'}`];
      });
    });
    if (differences.length === 0) return [];
    await requireInSync(place, { 'sql.view': 'view-columns', 'iceberg.table': 'table-schema' });
    return [
      {
        title: 'A view and its table have different columns',
        cause: differences.join('; '),
        remedy: 'Give both the same columns (playbooks and SQL templates of the stack), then `forge up`',
      },
    ];
  },
};
