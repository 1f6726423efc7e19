import { realpathSync } from 'node:fs';
import path from 'node:path';
import { findProgram, tryRun } from '../../../clients/exec.js';
import { at, foldersIn, type Machine } from './machine.js';

export interface Program {
  program: string;
  version: string;
}

export interface Python extends Program {
  /** Has what `python -m venv` needs; Debian and Ubuntu put that into a package of its own. */
  venv: boolean;
}

/** Python versions that the pinned packages have wheels for; the first are the best tried. */
export const PYTHON_VERSIONS = ['3.11', '3.12', '3.13', '3.10'] as const;

const PROBE = `import sys, json
try:
    import venv, ensurepip, ssl
    ok = True
except ImportError:
    ok = False
print(json.dumps([sys.executable, "%d.%d" % sys.version_info[:2], ok]))`;

/** Programs that may be a Python: on PATH, then pyenv's, uv's and Homebrew's. */
function pythonPrograms(machine: Machine): string[] {
  const { env, home } = machine;
  const names = [...PYTHON_VERSIONS.map((version) => `python${version}`), 'python3', 'python'];
  const places = [path.join(home, '.pyenv/versions'), path.join(home, '.local/share/uv/python')].flatMap((base) =>
    foldersIn(base, 'bin/python3'),
  );
  const brewed = ['/opt/homebrew/bin', '/usr/local/bin'].flatMap((base) => names.map((name) => path.join(at(machine, base), name)));
  const programs = [...names.map((name) => findProgram(name, env)), ...[...places, ...brewed].map((file) => findProgram(file))];
  return [...new Set(programs)].filter((program) => program !== undefined);
}

/** The first usable Python; one without venv only where there is no better one. */
export async function findPython(machine: Machine): Promise<Python | undefined> {
  let second: Python | undefined;
  for (const program of pythonPrograms(machine)) {
    const python = await probePython(program, machine.env);
    if (python === undefined || !PYTHON_VERSIONS.some((one) => one === python.version)) continue;
    if (python.venv) return python;
    second ??= python;
  }
  return second;
}

/** The first Python of any version: what to name where none is usable. */
export async function findAnyPython(machine: Machine): Promise<Program | undefined> {
  for (const program of pythonPrograms(machine)) {
    const python = await probePython(program, machine.env);
    if (python !== undefined) return python;
  }
  return undefined;
}

/** Undefined for what is no Python (a shim of pyenv may stand for none). */
async function probePython(program: string, env: NodeJS.ProcessEnv): Promise<Python | undefined> {
  try {
    const { stdout, exitCode } = await tryRun(program, ['-I', '-c', PROBE], { env, timeoutSeconds: 20 });
    const [executable, version, venv] = exitCode === 0 ? (JSON.parse(stdout) as [string, string, boolean]) : [];
    return executable === undefined || version === undefined ? undefined : { program: executable, version, venv: venv === true };
  } catch {
    return undefined;
  }
}

/** Maven: on PATH, in MAVEN_HOME, of SDKMAN, asdf, mise or Homebrew. */
export async function findMaven(machine: Machine): Promise<Program | undefined> {
  const { env, home } = machine;
  const folders = [
    ...[env['MAVEN_HOME'], env['M2_HOME']].filter((folder) => folder !== undefined && folder !== ''),
    path.join(home, '.sdkman/candidates/maven/current'),
    ...foldersIn(path.join(home, '.asdf/installs/maven')),
    ...foldersIn(path.join(home, '.local/share/mise/installs/maven')),
    at(machine, '/opt/homebrew'),
    at(machine, '/usr/local'),
  ].map((folder) => path.join(String(folder), 'bin/mvn'));
  for (const program of [findProgram('mvn', env), ...folders.map((file) => findProgram(file))]) {
    if (program === undefined) continue;
    const version = await mavenVersion(program, env);
    if (version !== undefined && atLeast(version, [3, 6])) return { program, version };
  }
  return undefined;
}

/** From the name of its own jar, because `mvn --version` starts a JVM. */
async function mavenVersion(program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const lib = path.join(path.dirname(path.dirname(realpathSync(program))), 'lib');
  const jar = foldersIn(lib, '', /^maven-core-[0-9].*\.jar$/)[0];
  if (jar !== undefined) return /maven-core-(.+)\.jar$/.exec(jar)?.[1];
  try {
    const { stdout } = await tryRun(program, ['--version'], { env, timeoutSeconds: 20 });
    return /Apache Maven (\S+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

const atLeast = (version: string, [major, minor]: [number, number]): boolean => {
  // Debian calls it 3.x, and has had a newer one than 3.6 for long.
  const [a = 0, b = 0] = version.split('.').map((part) => (part === 'x' ? Infinity : Number.parseInt(part, 10)));
  return a > major || (a === major && b >= minor);
};

/** npm belongs to the Node that runs forge; else the one on PATH. */
export const findNpm = ({ env }: Machine): string | undefined =>
  findProgram('npm', env) ?? findProgram(path.join(path.dirname(process.execPath), 'npm'));

/** uv is faster than pip and makes environments without Python's venv module. */
export const findUv = ({ env, home }: Machine): string | undefined =>
  findProgram('uv', env) ?? findProgram(path.join(home, '.local/bin/uv')) ?? findProgram(path.join(home, '.cargo/bin/uv'));
