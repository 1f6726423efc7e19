import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../../../clients/exec.js';
import { chooseJava } from '../toolchain/java.js';
import type { MavenSet, PackageSet } from './definition.js';
import { withLease } from './lease.js';
import { mavenBytes } from './output.js';
import { download, tmpOf, type Step } from './step.js';

/** Jars through the user's own Maven: its settings, mirrors, proxies and local repository. */
export async function installMaven(definition: MavenSet, set: PackageSet, plugin: string, step: Step): Promise<void> {
  const { stage, toolchain, signal } = step;
  // findToolchain has seen to both.
  const java = chooseJava(toolchain.javas, { minimum: 17, compiler: set.source !== undefined })!;
  const maven = toolchain.maven!;
  await writeFile(path.join(stage, 'pom.xml'), pom(definition, set.name));
  let bytes = 0;
  const args = [
    '-B',
    // A download that failed once is tried again; Maven would remember the failure.
    '-U',
    '-f',
    path.join(stage, 'pom.xml'),
    '-Dstyle.color=never',
    '-Dmaven.artifact.threads=8',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${stage}`,
    `org.apache.maven.plugins:maven-dependency-plugin:${plugin}:copy-dependencies`,
  ];
  // Maven's local repository bears one writer at a time.
  const lease = path.join(step.cacheDir, 'locks', 'maven');
  const onWait = (pid: number): void =>
    step.doing(pid === process.pid ? 'waiting for Maven' : `waiting for Maven, which process ${pid} uses`);
  await withLease(lease, { signal, onWait }, () => {
    step.doing('');
    return download(maven.program, args, {
      title: definition.title,
      settings: 'Maven (settings.xml: <proxies>, <mirrors>)',
      env: { ...process.env, JAVA_HOME: java.home },
      cwd: stage,
      signal,
      onLine: (line) => {
        const more = mavenBytes(line);
        if (more > 0) step.downloaded((bytes += more));
      },
    });
  });
  if (set.source === undefined) return;
  step.doing('compiling');
  const sources = tmpOf(step);
  await mkdir(sources, { recursive: true });
  const source = path.join(sources, set.source.name);
  await writeFile(source, set.source.text);
  await run(
    path.join(java.home, 'bin/javac'),
    ['--release', '17', '-nowarn', '-proc:none', '-cp', path.join(stage, '*'), '-d', path.join(stage, 'classes'), source],
    { signal, timeoutSeconds: 120, tied: true },
  );
}

/** A project of nothing but dependencies; it stays beside the jars and says where they come from. */
function pom(definition: MavenSet, name: string): string {
  const exclusions = definition.transitive
    ? ''
    : '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
  const dependencies = definition.artifacts.map((coordinates) => {
    const [group = '', artifact = '', version = '', classifier] = coordinates.split(':');
    const only = classifier === undefined ? '' : `<classifier>${classifier}</classifier>`;
    return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${only}${exclusions}</dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>forge</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${dependencies.join('\n')}
  </dependencies>
</project>
`;
}
