import type { Check } from '../../check.js';
import { span } from '../running.js';
import { currentSnapshot, loadedTables } from './loaded.js';

/** A reader opens each file of a table once: with so many, a scan takes minutes. */
const MOST_FILES = 20_000;

/** Whether a table has grown into more files than readers like: every commit adds some for each partition. */
export const tableFiles: Check = {
  id: 'table-files',
  group: 'tables',
  severity: 'warning',
  title: 'No table has so many data files that reading it takes minutes',
  needs: ['catalog-answers', 's3-answers'],
  async look(place) {
    const many = [...(await loadedTables(place))].flatMap(([name, table]) => {
      const snapshot = currentSnapshot(table);
      const files = Number(snapshot?.summary['total-data-files'] ?? 0);
      if (snapshot === undefined || files <= MOST_FILES) return [];
      return [
        `${name} has ${files} files for ${snapshot.summary['total-records'] ?? '?'} rows, last commit ${span(Date.now() - snapshot['timestamp-ms'])} ago`,
      ];
    });
    if (many.length === 0) return [];
    return [
      {
        title: `${many.length === 1 ? 'A table has' : `${many.length} tables have`} very many small files: reading takes long`,
        cause: many.join('; '),
        remedy:
          "Compact them with an engine that can (Spark: CALL system.rewrite_data_files), or raise the engine's checkpoint or commit interval",
      },
    ];
  },
};
