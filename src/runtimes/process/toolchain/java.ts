import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { findProgram, tryRun } from '../../../clients/exec.js';
import { readText } from '../../../workspace/read-text.js';
import { at, foldersIn, type Machine } from './machine.js';

export interface Java {
  /** Its real folder: reached by another link it is the same Java, and no server that runs on it has changed. */
  home: string;
  /** The java program. */
  program: string;
  version: string;
  major: number;
  /** Has javac, and so is a JDK. */
  compiler: boolean;
}

export interface JavaNeed {
  /** What needs it, in words: `Kafka`. */
  what: string;
  minimum: number;
  /** javac is needed as well. */
  compiler?: boolean;
}

/** Every Java of this machine, each once. JAVA_HOME comes first, then PATH, then the folders where Java is usually put. */
export async function findJavas(machine: Machine): Promise<Java[]> {
  const { env, home } = machine;
  const onPath = findProgram('java', env);
  const homes = [
    ...(env['JAVA_HOME'] ? [env['JAVA_HOME']] : []),
    ...(onPath === undefined ? [] : [await homeOf(onPath, machine)]),
    ...foldersIn(at(machine, '/usr/lib/jvm')),
    ...foldersIn(at(machine, '/usr/java')),
    ...foldersIn(at(machine, '/opt/java')),
    ...foldersIn(at(machine, '/Library/Java/JavaVirtualMachines'), 'Contents/Home'),
    ...foldersIn(path.join(home, 'Library/Java/JavaVirtualMachines'), 'Contents/Home'),
    ...(await toldByMacOs(machine)),
    ...['/opt/homebrew/opt', '/usr/local/opt'].flatMap((base) =>
      foldersIn(at(machine, base), 'libexec/openjdk.jdk/Contents/Home', /^openjdk/),
    ),
    ...foldersIn(at(machine, '/home/linuxbrew/.linuxbrew/opt'), 'libexec', /^openjdk/),
    ...['.sdkman/candidates/java', '.asdf/installs/java', '.local/share/mise/installs/java', '.jdks'].flatMap((base) =>
      foldersIn(path.join(home, base)),
    ),
  ];
  const found = new Map<string, Java>();
  for (const folder of homes) {
    if (folder === undefined || findProgram(path.join(folder, 'bin/java')) === undefined) continue;
    const real = realpathSync(folder);
    if (found.has(real)) continue;
    const program = path.join(real, 'bin/java');
    const version =
      /^JAVA_VERSION="([^"]+)"/m.exec(readText(path.join(real, 'release')) ?? '')?.[1] ?? (await settingsOf(program))?.version;
    if (version === undefined) continue;
    found.set(real, { home: real, program, version, major: majorOf(version), compiler: existsSync(path.join(real, 'bin/javac')) });
  }
  return [...found.values()];
}

/**
 * The Java that suits best: the oldest release with long-term support (17, 21, 25, …) that is new enough, because servers
 * are tried on these and newer ones may break them; then any other that is new enough.
 */
export function chooseJava(javas: readonly Java[], need: Pick<JavaNeed, 'minimum' | 'compiler'>): Java | undefined {
  const rank = (java: Java): number => java.major + (isLongTerm(java.major) ? 0 : 1000);
  return javas
    .filter((java) => java.major >= need.minimum && (need.compiler !== true || java.compiler))
    .sort((a, b) => rank(a) - rank(b))[0];
}

const isLongTerm = (major: number): boolean => major >= 17 && (major - 17) % 4 === 0;
const majorOf = (version: string): number => Number(/^(?:1\.)?(\d+)/.exec(version)?.[1] ?? 0);

/** A program on PATH may be a link into a JDK, or a shim (jenv, asdf, mise) that only Java itself can tell about. */
async function homeOf(program: string, machine: Machine): Promise<string | undefined> {
  const folder = path.dirname(path.dirname(realpathSync(program)));
  if (existsSync(path.join(folder, 'release'))) return folder;
  // macOS has a /usr/bin/java that only asks for an installation.
  if (machine.platform === 'darwin' && program === '/usr/bin/java') return undefined;
  return (await settingsOf(program))?.home;
}

async function settingsOf(program: string): Promise<{ home: string; version: string } | undefined> {
  try {
    const { stderr, exitCode } = await tryRun(program, ['-XshowSettings:properties', '-version'], { timeoutSeconds: 20 });
    const value = (name: string): string | undefined => new RegExp(`^\\s*${name} = (.+)$`, 'm').exec(stderr)?.[1]?.trim();
    const [home, version] = [value('java\\.home'), value('java\\.version')];
    return exitCode === 0 && home !== undefined && version !== undefined ? { home, version } : undefined;
  } catch {
    // A program that does not run is no Java.
    return undefined;
  }
}

async function toldByMacOs(machine: Machine): Promise<string[]> {
  const teller = at(machine, '/usr/libexec/java_home');
  if (machine.platform !== 'darwin' || !existsSync(teller)) return [];
  const { stderr, exitCode } = await tryRun(teller, ['-V'], { timeoutSeconds: 10 });
  return exitCode === 0 ? [...stderr.matchAll(/\s(\/\S.*\/Contents\/Home)\s*$/gm)].map((match) => match[1] ?? '') : [];
}
