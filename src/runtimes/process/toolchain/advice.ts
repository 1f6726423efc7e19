import { readText } from '../../../workspace/read-text.js';
import { at, type Machine } from './machine.js';

/** A thing that can be installed with the system's package manager. */
export type Wanted = { tool: 'java'; minimum: number } | { tool: 'python' | 'maven' | 'npm' };

interface System {
  command: string;
  packages(wanted: Wanted): string[];
}

const jdk = (minimum: number): number => (minimum <= 17 ? 17 : minimum <= 21 ? 21 : minimum);
const system = (command: string, java: (major: number) => string, others: Record<'python' | 'maven' | 'npm', string[]>): System => ({
  command,
  packages: (wanted) => (wanted.tool === 'java' ? [java(jdk(wanted.minimum))] : others[wanted.tool]),
});

const brew = system('brew install', (major) => `openjdk@${major}`, { python: ['python@3.12'], maven: ['maven'], npm: ['node'] });

/** Debian 13 and Ubuntu 24 have no need of Java 17 and may not have it. */
const apt = (id: string, version: number): System =>
  system(
    'apt-get install -y',
    (major) =>
      `openjdk-${(id === 'debian' && version >= 13) || (id === 'ubuntu' && version >= 24) ? Math.max(21, major) : major}-jdk-headless`,
    { python: ['python3', 'python3-venv'], maven: ['maven'], npm: ['npm'] },
  );
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
  if (is('debian', 'ubuntu')) return apt(value('ID'), Number.parseInt(value('VERSION_ID'), 10));
  if (is('fedora', 'rhel', 'centos')) return dnf;
  if (is('alpine')) return apk;
  if (is('arch')) return pacman;
  return undefined;
}

/** The one command that installs all of these on this system; undefined where the system is not known. */
export function installCommand(machine: Machine, wanted: readonly Wanted[]): string | undefined {
  const found = systemOf(machine);
  if (found === undefined) return undefined;
  const packages = [...new Set(wanted.flatMap((one) => found.packages(one)))].join(' ');
  const asRoot = found === brew || process.getuid?.() === 0 ? '' : 'sudo ';
  return `${asRoot}${found.command} ${packages}`;
}
