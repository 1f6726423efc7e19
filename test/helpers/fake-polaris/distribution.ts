import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** The start of Polaris' own scripts: they look for Java in the same way, and go into server/ or admin/. */
const script = (program: string): string => `#!/usr/bin/env bash
set -euo pipefail
SCRIPT_DIR="$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)"
cd "$SCRIPT_DIR/../${program}"
JAVA_CMD="\${JAVA_HOME:+\${JAVA_HOME%/}/bin/java}"
JAVA_CMD="\${JAVA_CMD:-$(command -v java)}"
[ -x "$JAVA_CMD" ] || { echo "Java not found – set JAVA_HOME or add java to PATH." >&2; exit 1; }
exec '${process.execPath}' --import '${tsx}' '${main}' ${program} "$@"
`;

/** Lays a folder out like an unpacked distribution of Polaris 1.4.1 whose programs are the fake. */
export async function makeFakeDistribution(folder: string): Promise<void> {
  const jars = join(folder, 'server', 'lib', 'main');
  for (const made of [join(folder, 'bin'), jars, join(folder, 'admin')]) await mkdir(made, { recursive: true });
  await writeFile(join(jars, 'org.apache.polaris.polaris-core-1.4.1.jar'), '');
  for (const program of ['server', 'admin']) {
    await writeFile(join(folder, 'bin', program), script(program), { mode: 0o755 });
    await writeFile(join(folder, program, 'quarkus-run.jar'), '');
  }
}
