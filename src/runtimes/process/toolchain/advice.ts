import { readText } from '../../../workspace/read-text.js';
import { at, type Machine } from './machine.js';

/** A thing that is to be installed; `unfit`: there is a Python, but of another version. */
export type Wanted = { tool: 'java'; minimum: number } | { tool: 'python'; unfit: boolean } | { tool: 'maven' | 'npm' };

interface System {
  command: string;
  /** Undefined for what this system has no package of. */
  packages(wanted: Wanted): string[] | undefined;
}

const jdk = (minimum: number): number => (minimum <= 17 ? 17 : minimum <= 21 ? 21 : minimum);
const system = (
  command: string,
  java: (major: number) => string | undefined,
  others: Record<'python' | 'maven' | 'npm', string[]>,
): System => ({
  command,
  packages(wanted) {
    if (wanted.tool !== 'java')
      return wanted.tool === 'python' && wanted.unfit && anyVersion(others.python) ? undefined : others[wanted.tool];
    const name = java(jdk(wanted.minimum));
    return name === undefined ? undefined : [name];
  },
});
/** Without a version in its name, a package is the Python that is there already. */
const anyVersion = ([name]: string[]): boolean => !/\d\.\d/.test(name ?? '');

const brew = system('brew install', (major) => `openjdk@${major}`, { python: ['python@3.12'], maven: ['maven'], npm: ['node'] });

/** Debian 13 and Ubuntu 24 have no need of Java 17 and may not have it; before 13, Debian has nothing newer. */
function apt(names: string[], version: number): System {
  const isDebian = !names.includes('ubuntu');
  // Debian's testing has no number.
  const isNew = isDebian ? !(version < 13) : names[0] === 'ubuntu' && version >= 24;
  const java = (major: number): string | undefined =>
    isDebian && !isNew && major > 17 ? undefined : `openjdk-${isNew ? Math.max(21, major) : major}-jdk-headless`;
  return system('apt-get install -y', java, { python: ['python3', 'python3-venv'], maven: ['maven'], npm: ['npm'] });
}
const dnf = system('dnf install -y', (major) => `java-${Math.max(21, major)}-openjdk-devel`, {
  python: ['python3.12'],
  maven: ['maven'],
  npm: ['npm'],
});
const apk = system('apk add', (major) => `openjdk${major}-jdk`, { python: ['python3'], maven: ['maven'], npm: ['npm'] });
const pacman = system('pacman -S --needed', (major) => `jdk${major}-openjdk`, { python: ['python'], maven: ['maven'], npm: ['npm'] });

function systemOf(machine: Machine): System | undefined {
  if (machine.platform === 'darwin') return brew;
  const text = readText(at(machine, '/etc/os-release')) ?? '';
  const value = (key: string): string => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
  const names = [value('ID'), ...value('ID_LIKE').split(' ')];
  const is = (...ids: string[]): boolean => ids.some((id) => names.includes(id));
  if (is('debian', 'ubuntu')) return apt(names, Number.parseInt(value('VERSION_ID'), 10));
  if (is('fedora', 'rhel', 'centos')) return dnf;
  if (is('alpine')) return apk;
  if (is('arch')) return pacman;
  return undefined;
}

const elsewhere = (wanted: Wanted): string =>
  wanted.tool === 'java'
    ? `Java ${jdk(wanted.minimum)} as Temurin (https://adoptium.net) or with SDKMAN (https://sdkman.io)`
    : 'Python 3.12 with uv (https://docs.astral.sh/uv, `uv python install 3.12`) or with pyenv';

/** How all of these are installed on this system, in one line; undefined where the system is not known. */
export function installAdvice(machine: Machine, wanted: readonly Wanted[]): string | undefined {
  const found = systemOf(machine);
  if (found === undefined) return undefined;
  const packages = [...new Set(wanted.flatMap((one) => found.packages(one) ?? []))].join(' ');
  const others = wanted.filter((one) => found.packages(one) === undefined).map(elsewhere);
  const asRoot = found === brew || process.getuid?.() === 0 ? '' : 'sudo ';
  return [
    ...(packages === '' ? [] : [`Install with: ${asRoot}${found.command} ${packages}`]),
    ...(others.length === 0 ? [] : [`This system has no package of what is needed here: install ${others.join(', and ')}`]),
  ].join('. ');
}
