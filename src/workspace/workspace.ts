import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { ensureDir, fileError, makeDirs, writeFileAtomic } from './atomic.js';

/** The paths of one workspace: the folder with `forge.yaml` and the `.forge/` beside it. */
export interface Workspace {
  root: string;
  forgeDir: string;
  credentials: string;
  generated: string;
  logs: string;
  run: string;
  data: string;
  configFile: string;
  /** Short and stable name of this workspace, in process arguments and names of things that it owns. */
  id: string;
}

/** The workspace whose root is this folder, whether or not it exists yet. The id is a hash of its real path. */
export function workspaceAt(folder: string): Workspace {
  const root = realPathOf(path.resolve(folder));
  const forgeDir = path.join(root, '.forge');
  return {
    root,
    forgeDir,
    credentials: path.join(forgeDir, 'credentials'),
    generated: path.join(forgeDir, 'generated'),
    logs: path.join(forgeDir, 'logs'),
    run: path.join(forgeDir, 'run'),
    data: path.join(forgeDir, 'data'),
    configFile: path.join(root, 'forge.yaml'),
    id: createHash('sha256').update(root).digest('hex').slice(0, 8),
  };
}

/** The real path, of the part that exists: the id is the same before and after the folder is made. */
function realPathOf(folder: string): string {
  const parent = path.dirname(folder);
  if (existsSync(folder) || parent === folder) return existsSync(folder) ? realpathSync(folder) : folder;
  return path.join(realPathOf(parent), path.basename(folder));
}

/** The workspace of a folder that was named, else the nearest one upwards with forge.yaml or .forge, else the current folder. */
export function findWorkspace(named: string | undefined, cwd = process.cwd()): Workspace {
  if (named !== undefined) return workspaceAt(named);
  for (let at = path.resolve(cwd); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'forge.yaml')) || MARKS.some((mark) => existsSync(path.join(at, '.forge', mark)))) return workspaceAt(at);
    if (at === path.dirname(at)) return workspaceAt(cwd);
  }
}

/** What tells forge's own .forge from a folder of that name that another program made. */
const MARKS = ['stack.json', 'credentials', 'generated'];

/** Makes .forge and its folders (0700); git ignores them. */
export async function prepareWorkspace(workspace: Workspace): Promise<void> {
  await makeDirs(workspace.root).catch((error: unknown) => {
    throw fileError(workspace.root, error);
  });
  for (const folder of [workspace.forgeDir, workspace.credentials, workspace.generated, workspace.logs, workspace.run, workspace.data])
    await ensureDir(folder, 0o700);
  const ignore = path.join(workspace.forgeDir, '.gitignore');
  if (!existsSync(ignore)) await writeFileAtomic(ignore, '*\n', { mode: 0o600 });
}
