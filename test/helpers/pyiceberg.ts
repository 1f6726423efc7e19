import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Exact versions of everything, as pip resolved them once: resolving is slow and would float. */
const REQUIREMENTS = [
  'annotated-types==0.8.0',
  'cachetools==8.0.1',
  'certifi==2026.10.18',
  'charset-normalizer==3.5.2',
  'click==8.5.1',
  'fsspec==2026.9.0',
  'idna==3.20',
  'markdown-it-py==4.3.0',
  'mdurl==0.1.2',
  'mmh3==5.3.1',
  'pyarrow==26.0.1',
  'pydantic==2.14.3',
  'pydantic_core==2.50.4',
  'Pygments==2.21.0',
  'pyiceberg==0.12.0',
  'pyparsing==3.3.3',
  'pyroaring==1.2.0',
  'python-dateutil==4.0.0',
  'requests==2.34.2',
  'rich==15.0.0',
  'strictyaml==1.7.3',
  'tenacity==9.2.1',
  'typing-inspection==0.4.5',
  'typing_extensions==4.16.0',
  'tzdata==2026.6',
  'urllib3==2.8.0',
  'zstandard==0.25.0',
];

const run = promisify(execFile);
const cache = (): string => process.env['FORGE_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'forge');

/** A Python of its own with PyIceberg in it, made once per machine and list of packages. */
export async function pyicebergPython(): Promise<string> {
  const hash = createHash('sha256').update(REQUIREMENTS.join('\n')).digest('hex').slice(0, 8);
  const folder = join(cache(), 'test', `pyiceberg-0.12.0-${hash}`);
  const [python, complete] = [join(folder, 'bin', 'python'), join(folder, '.complete')];
  if (existsSync(complete) && existsSync(python)) return python;
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, '..'), { recursive: true });
  await step('python3', ['-m', 'venv', folder], 'Python 3.10 or newer with venv (Debian, Ubuntu: apt-get install python3 python3-venv)');
  const pip = ['-m', 'pip', 'install', '--no-deps', '--only-binary', ':all:', '--quiet', '--disable-pip-version-check', '--no-input'];
  await step(
    python,
    [...pip, ...REQUIREMENTS],
    'a package index that pip can reach (HTTPS_PROXY, PIP_INDEX_URL or pip.conf) and Python 3.10 or newer',
  );
  writeFileSync(complete, '');
  return python;
}

async function step(program: string, args: string[], needed: string): Promise<void> {
  try {
    await run(program, args, { timeout: 600_000, maxBuffer: 1 << 24 });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? '';
    throw new Error(`The PyIceberg test needs ${needed}. ${program} ${args.slice(0, 3).join(' ')} failed: ${said || String(error)}`);
  }
}

/** What PyIceberg itself says of a table, without any of forge's own readers. */
export interface TableSeen {
  formatVersion: number;
  fields: string[];
  partition: string[];
  sort: string[];
  rows: number;
}
export interface LakeSeen {
  tables: Record<string, TableSeen>;
  /** The newest running total of each player. */
  totals: Record<string, number>;
}

const READ = `
import json, sys
from pyiceberg.catalog import load_catalog
catalog, namespace = load_catalog("default"), sys.argv[1]
tables, totals = {}, {}
for identifier in catalog.list_tables(namespace):
    table = catalog.load_table(identifier)
    column = table.schema().find_column_name
    rows = table.scan().to_arrow()
    tables[identifier[-1]] = {
        "formatVersion": table.format_version,
        "fields": [f"{f.name} {f.field_type} {'required' if f.required else 'optional'}" for f in table.schema().fields],
        "partition": [f"{f.transform}({column(f.source_id)})" for f in table.spec().fields],
        "sort": [f"{f.transform}({column(f.source_id)}) {f.direction.value}" for f in table.sort_order().fields],
        "rows": rows.num_rows,
    }
    if identifier[-1] == "leaderboard":
        for row in rows.to_pylist():
            if not row["player"].startswith("forge-probe-"):
                totals[row["player"]] = max(totals.get(row["player"], 0), row["total_score"])
print(json.dumps({"tables": tables, "totals": totals}))
`;

/** Reads a namespace with PyIceberg; `home` holds the .pyiceberg.yaml that it is to find. */
export async function readLake(python: string, home: string, namespace: string): Promise<LakeSeen> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, PYICEBERG_HOME: home };
  const { stdout } = await run(python, ['-c', READ, namespace], { cwd: home, env, timeout: 180_000, maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as LakeSeen;
}
