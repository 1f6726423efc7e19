import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ForgeError } from '../../../src/errors.js';
import { chooseJava, findJavas, type Java } from '../../../src/runtimes/process/toolchain/java.js';
import type { Machine } from '../../../src/runtimes/process/toolchain/machine.js';
import { findMaven, findPython } from '../../../src/runtimes/process/toolchain/programs.js';
import { findToolchain } from '../../../src/runtimes/process/toolchain/toolchain.js';
import { scratch } from '../../helpers/folders.js';

let machine: Machine;
let root: string;

const write = (name: string, text: string, mode = 0o644): string => {
  const file = path.join(root, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};
const program = (name: string, script = 'exit 1'): string => write(name, `#!/bin/sh\n${script}\n`, 0o755);
const jdk = (home: string, version: string, compiler = true): string => {
  write(`${home}/release`, `IMPLEMENTOR="Any"\nJAVA_VERSION="${version}"\n`);
  if (compiler) program(`${home}/bin/javac`);
  return program(`${home}/bin/java`);
};
const python = (name: string, version: string, venv = true): string =>
  program(name, `echo '["${path.join(root, name)}", "${version}", ${venv}]'`);
const distribution = (text: string): string => write('etc/os-release', text);

beforeEach(async () => {
  root = scratch();
  mkdirSync(path.join(root, 'path'));
  machine = { env: { PATH: path.join(root, 'path') }, home: path.join(root, 'home'), root, platform: 'linux' };
});

describe('Java', () => {
  test('is found in JAVA_HOME, on PATH through links, in the folders of the system, SDKMAN, asdf, mise and macOS, each once', async () => {
    jdk('opt/own', '21.0.4');
    machine.env['JAVA_HOME'] = path.join(root, 'opt/own');
    symlinkSync(jdk('usr/lib/jvm/java-17', '17.0.15'), path.join(root, 'path/java'));
    symlinkSync(path.join(root, 'usr/lib/jvm/java-17'), path.join(root, 'usr/lib/jvm/default'));
    jdk('home/.sdkman/candidates/java/25-tem', '25.0.1');
    jdk('home/.asdf/installs/java/temurin-11', '11.0.2');
    jdk('home/.local/share/mise/installs/java/8', '1.8.0_402', false);
    jdk('Library/Java/JavaVirtualMachines/x.jdk/Contents/Home', '24.0.1');
    jdk('opt/homebrew/opt/openjdk@17/libexec/openjdk.jdk/Contents/Home', '17.0.9');
    const found = await findJavas(machine);
    expect(found.map(({ major, compiler }) => `${major}${compiler ? '' : ' (no compiler)'}`)).toEqual([
      '21',
      '17',
      '24',
      '17',
      '25',
      '11',
      '8 (no compiler)',
    ]);
  });

  test('is the same by whatever link it is found, so that its servers are not started anew', async () => {
    const program = jdk('usr/lib/jvm/java-17-openjdk-amd64', '17.0.15');
    symlinkSync('java-17-openjdk-amd64', path.join(root, 'usr/lib/jvm/default-java'));
    const home = path.dirname(path.dirname(program));
    const plain = await findJavas({ ...machine, env: { PATH: '' } });
    expect(plain).toMatchObject([{ home, program, compiler: true }]);
    machine.env['JAVA_HOME'] = path.join(root, 'usr/lib/jvm/default-java/');
    expect(await findJavas(machine)).toEqual(plain);
    symlinkSync(program, path.join(root, 'path/java'));
    expect(await findJavas({ ...machine, env: { PATH: path.join(root, 'path') } })).toEqual(plain);
  });

  test('without a release file tells its version itself, also through a shim', async () => {
    const home = path.join(root, 'real');
    program('real/bin/java', `echo '    java.home = ${home}' >&2; echo '    java.version = 17.0.2' >&2`);
    program('path/java', `exec ${home}/bin/java "$@"`);
    expect(await findJavas(machine)).toMatchObject([{ home, version: '17.0.2', major: 17 }]);
  });

  test('is the oldest long-term release that is new enough; others only where there is none', () => {
    const java = (major: number, compiler = true): Java => ({ home: `/${major}`, program: '', version: '', major, compiler });
    const all = [java(26), java(25), java(11), java(18), java(21), java(17, false)];
    expect(chooseJava(all, { minimum: 17 })?.major).toBe(17);
    expect(chooseJava(all, { minimum: 17, compiler: true })?.major).toBe(21);
    expect(chooseJava(all, { minimum: 22 })?.major).toBe(25);
    expect(chooseJava([java(26), java(18)], { minimum: 17 })?.major).toBe(18);
    expect(chooseJava([java(11)], { minimum: 17 })).toBeUndefined();
  });
});

describe('Python and Maven', () => {
  test('the best tried Python wins over a newer one, and one with venv over one without', async () => {
    python('path/python3.13', '3.13');
    expect((await findPython(machine))?.version).toBe('3.13');
    python('path/python3.11', '3.11', false);
    expect(await findPython(machine)).toMatchObject({ version: '3.13', venv: true });
    python('path/python3.11', '3.11');
    expect((await findPython(machine))?.version).toBe('3.11');
  });

  test('shims that stand for nothing and versions without packages are passed over; pyenv is looked into', async () => {
    program('path/python3.11', 'echo "pyenv: version not installed" >&2; exit 127');
    python('path/python3', '3.14');
    expect(await findPython(machine)).toBeUndefined();
    python('home/.pyenv/versions/3.12.1/bin/python3', '3.12');
    expect(await findPython(machine)).toMatchObject({ version: '3.12' });
  });

  test('Maven is known by its jar, without starting it, and must not be older than 3.6', async () => {
    write('opt/maven/lib/maven-core-3.5.4.jar', '');
    symlinkSync(program('opt/maven/bin/mvn'), path.join(root, 'path/mvn'));
    expect(await findMaven(machine)).toBeUndefined();
    write('home/.sdkman/candidates/maven/current/lib/maven-core-3.9.9.jar', '');
    program('home/.sdkman/candidates/maven/current/bin/mvn');
    expect(await findMaven(machine)).toMatchObject({ version: '3.9.9' });
  });
});

describe('findToolchain', () => {
  const needs = {
    java: [
      { what: 'Apache Kafka', minimum: 17 },
      { what: 'Iceberg REST catalog', minimum: 17, compiler: true },
    ],
    python: true,
    maven: true,
    npm: false,
  };

  test('says everything that is missing at once, what was found instead, and the command of this system', async () => {
    jdk('usr/lib/jvm/java-11', '11.0.2');
    python('path/python3', '3.11', false);
    distribution('ID=debian\nVERSION_ID="12"\n');
    const failure = findToolchain(needs, machine);
    await expect(failure).rejects.toMatchObject({ code: 'MISSING_TOOLS', exitCode: 3 });
    await expect(failure).rejects.toThrow(
      /Java 17 or newer with its compiler.* for Iceberg REST catalog|Java 17 or newer with its compiler \(a JDK\), for Apache Kafka, Iceberg REST catalog; found Java 11\.0\.2 in/,
    );
    await expect(failure).rejects.toThrow(/Maven 3\.6 or newer[^]*Python 3\.10 to 3\.13 .*which has no venv/);
    await expect(failure).rejects.toMatchObject({
      hint: expect.stringMatching(/apt-get install -y openjdk-17-jdk-headless maven python3 python3-venv\n/) as string,
    });
  });

  test.each([
    ['ID=debian\nVERSION_ID="13"', 'apt-get install -y openjdk-21-jdk-headless maven'],
    ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"', 'apt-get install -y openjdk-21-jdk-headless maven'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21"', 'apt-get install -y openjdk-17-jdk-headless maven'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"', 'dnf install -y java-21-openjdk-devel maven'],
    ['ID=alpine', 'apk add openjdk17-jdk maven'],
    ['ID=arch', 'pacman -S --needed jdk17-openjdk maven'],
    ['ID=unheard-of', 'package manager of this system'],
  ])('%s: %s', async (release, command) => {
    distribution(release);
    await expect(findToolchain({ ...needs, python: false }, machine)).rejects.toMatchObject({
      hint: expect.stringContaining(command) as string,
    });
  });

  test.each([
    ['ID=debian\nVERSION_ID="12"', /^Install with: (sudo )?apt-get install -y maven\. .*Java 21 as Temurin.*SDKMAN/],
    ['ID=raspbian\nID_LIKE=debian\nVERSION_ID="12"', /^Install with: (sudo )?apt-get install -y maven\. .*Java 21 as Temurin/],
    ['ID=debian\nVERSION_ID="13"', /^Install with: (sudo )?apt-get install -y openjdk-21-jdk-headless maven$/],
    ['ID=debian', /^Install with: (sudo )?apt-get install -y openjdk-21-jdk-headless maven$/],
    ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"', /^Install with: (sudo )?apt-get install -y openjdk-21-jdk-headless maven$/],
  ])('Java 21 on %s: %s', async (release, advice) => {
    distribution(release);
    const failure = findToolchain({ java: [{ what: 'Apache Polaris', minimum: 21 }], maven: true }, machine);
    const error = (await failure.catch((reason: unknown) => reason)) as ForgeError;
    expect(error.hint?.split('\n')[0]).toMatch(advice);
  });

  test.each([
    ['3.9', 'too old', 'ID=debian\nVERSION_ID="11"', /^This system has no package .* Python 3\.12 with uv/],
    ['3.14', 'too new', 'ID=arch', /^This system has no package .* Python 3\.12 with uv/],
    ['3.9', 'too old', 'ID="rocky"\nID_LIKE="rhel centos fedora"', /^Install with: (sudo )?dnf install -y python3\.12$/],
  ])('Python %s alone is named, is %s, and is not advised again', async (version, why, release, advice) => {
    python('path/python3', version);
    distribution(release);
    const error = (await findToolchain({ python: true }, machine).catch((reason: unknown) => reason)) as ForgeError;
    expect(error.message).toContain(`found ${root}/path/python3 (${version}), which is ${why}`);
    expect(error.hint?.split('\n')[0]).toMatch(advice);
  });

  test('on macOS it is Homebrew', async () => {
    await expect(findToolchain(needs, { ...machine, platform: 'darwin' })).rejects.toMatchObject({
      hint: expect.stringContaining('brew install openjdk@17 maven python@3.12') as string,
    });
  });

  test('gives what is there, and looks for nothing that is not asked for', async () => {
    jdk('usr/lib/jvm/java-17', '17.0.15');
    write('usr/local/lib/maven-core-3.9.9.jar', '');
    program('usr/local/bin/mvn');
    const found = await findToolchain({ ...needs, python: false }, machine);
    expect(found).toMatchObject({ maven: { version: '3.9.9' }, javas: [{ major: 17 }] });
    expect(found.python).toBeUndefined();
    expect(await findToolchain({}, { ...machine, env: {} })).toMatchObject({ javas: [] });
  });

  test('uv makes up for a Python without venv', async () => {
    python('path/python3', '3.11', false);
    program('home/.local/bin/uv');
    expect(await findToolchain({ python: true }, machine)).toMatchObject({
      uv: path.join(root, 'home/.local/bin/uv'),
      python: { venv: false },
    });
  });
});
