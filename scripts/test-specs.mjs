// npm run test:specs -- DIR: checks what forge sends, and what its fakes answer, against the OpenAPI documents in DIR.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || !existsSync(folder)) {
  console.error(folder === undefined ? 'Error: no folder given.' : `Error: ${folder} does not exist.`);
  console.error('Hint: npm run test:specs -- FOLDER_WITH_THE_OPENAPI_DOCUMENTS');
  process.exit(2);
}
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'specs', ...rest], {
  cwd: root,
  env: { ...process.env, FORGE_SPECS: path.resolve(folder) },
  stdio: 'inherit',
});
process.exit(status ?? 1);
