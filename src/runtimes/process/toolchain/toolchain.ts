import { lackingError } from '../../../errors.js';
import { installAdvice, type Wanted } from './advice.js';
import { chooseJava, findJavas, type Java, type JavaNeed } from './java.js';
import { thisMachine, type Machine } from './machine.js';
import { findAnyPython, findMaven, findNpm, findPython, findUv, type Program, type Python } from './programs.js';

export interface ToolNeeds {
  java?: JavaNeed[];
  /** Python with venv (or uv), to install with. */
  python?: boolean;
  maven?: boolean;
  npm?: boolean;
}

/** What was found; only what was asked for is looked for. */
export interface Toolchain {
  javas: Java[];
  python?: Python;
  uv?: string;
  maven?: Program;
  npm?: string;
}

/**
 * Looks for all of these tools. What is missing gives one error that lists everything at once, with the command that
 * installs it on this system.
 * @throws ForgeError MISSING_TOOLS (exit 3)
 */
export async function findToolchain(needs: ToolNeeds, machine: Machine = thisMachine()): Promise<Toolchain> {
  const javaNeeds = needs.java ?? [];
  const [javas, python, maven] = await Promise.all([
    javaNeeds.length > 0 || needs.maven === true ? findJavas(machine) : [],
    needs.python === true ? findPython(machine) : undefined,
    needs.maven === true ? findMaven(machine) : undefined,
  ]);
  const uv = needs.python === true ? findUv(machine) : undefined;
  const npm = needs.npm === true ? findNpm(machine) : undefined;

  const lacking: { text: string; wanted: Wanted }[] = [];
  // Maven runs on Java 8 already, but then nothing that it fetches would run.
  const all = needs.maven === true && javaNeeds.length === 0 ? [{ what: 'Maven', minimum: 17 }] : javaNeeds;
  const unmet = all.filter((need) => chooseJava(javas, need) === undefined);
  if (unmet.length > 0) lacking.push(lackingJava(unmet, javas));
  if (needs.maven === true && maven === undefined)
    lacking.push({ text: 'Maven 3.6 or newer (mvn), which downloads the Java servers', wanted: { tool: 'maven' } });
  if (needs.python === true && (python === undefined || (!python.venv && uv === undefined)))
    lacking.push(await lackingPython(python, machine));
  if (needs.npm === true && npm === undefined) lacking.push({ text: 'npm, which downloads PostgreSQL', wanted: { tool: 'npm' } });
  if (lacking.length > 0) throw missingTools(lacking, machine);
  return { javas, python, uv, maven, npm };
}

function lackingJava(unmet: JavaNeed[], javas: Java[]): { text: string; wanted: Wanted } {
  const minimum = Math.max(...unmet.map((need) => need.minimum));
  const compiler = unmet.some((need) => need.compiler === true) ? ' with its compiler (a JDK)' : '';
  const found = javas.map((java) => `Java ${java.version}${java.compiler ? '' : ' without compiler'} in ${java.home}`).join(', ');
  const what = [...new Set(unmet.map((need) => need.what))].join(', ');
  return {
    text: `Java ${minimum} or newer${compiler}, for ${what}${found === '' ? '' : `; found ${found}`}`,
    wanted: { tool: 'java', minimum },
  };
}

async function lackingPython(usable: Python | undefined, machine: Machine): Promise<{ text: string; wanted: Wanted }> {
  const found = usable ?? (await findAnyPython(machine));
  const why = usable !== undefined ? 'has no venv' : Number(found?.version.split('.')[1]) < 10 ? 'is too old' : 'is too new';
  return {
    text: `Python 3.10 to 3.13 with its venv module${found === undefined ? '' : `; found ${found.program} (${found.version}), which ${why}`}`,
    wanted: { tool: 'python', unfit: usable === undefined && found !== undefined },
  };
}

function missingTools(lacking: { text: string; wanted: Wanted }[], machine: Machine): Error {
  const advice = installAdvice(
    machine,
    lacking.map(({ wanted }) => wanted),
  );
  return lackingError({
    code: 'MISSING_TOOLS',
    message: `This machine lacks what forge needs:\n${lacking.map(({ text }) => `  - ${text}`).join('\n')}`,
    hint: `${advice ?? 'Install them with the package manager of this system'}\nThen run the same command again; nothing was started`,
  });
}
