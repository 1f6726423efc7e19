import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';
import type { ErrorResult } from '../../src/cli/schemas.js';
import { runForge } from '../helpers/forge.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forge-bad-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Every file and folder with its text, so that any change shows. */
const contents = (): string =>
  execFileSync('sh', ['-c', 'find . -printf "%p %m %s\\n" | sort; find . -type f -exec cat {} +'], { cwd: folder, encoding: 'utf8' });

interface Bad {
  name: string;
  args?: string[];
  yaml?: string;
  env?: Record<string, string>;
  exit?: number;
  code: string;
  says: RegExp;
  hint?: RegExp;
}

const UP = ['up', '--catalog', 'iceberg-rest'];

const CASES: Bad[] = [
  { name: 'unknown key', yaml: 'topic:\n  nmae: x\n', code: 'CONFIG_INVALID', says: /forge\.yaml:2.*nmae.*did you mean name/s },
  { name: 'wrong type', yaml: 'topic:\n  partitions: many\n', code: 'CONFIG_INVALID', says: /forge\.yaml:2.*topic\.partitions/s },
  { name: 'bad YAML', yaml: 'ports: {kafka: 1\nlake: [\n', code: 'CONFIG_INVALID', says: /forge\.yaml:[0-9]+/ },
  { name: 'not a mapping', yaml: '- up\n', code: 'CONFIG_INVALID', says: /forge\.yaml/ },
  { name: 'port 70000', yaml: 'ports:\n  kafka: 70000\n', code: 'CONFIG_INVALID', says: /forge\.yaml:2.*ports\.kafka.*65535/s },
  { name: 'one port twice', yaml: 'ports:\n  kafka: 29555\n  flink: 29555\n', code: 'PORT_TWICE', says: /29555.*kafka.*flink/s },
  { name: 'unknown stack', args: ['up', '--stack', 'baloon-popper'], code: 'UNKNOWN_STACK', says: /baloon-popper/, hint: /balloon-popper/ },
  { name: 'unknown catalog', args: ['up', '--catalog', 'hive'], code: 'CONFIG_INVALID', says: /catalog/, hint: /./ },
  {
    name: 'FORGE_ variable misspelt',
    env: { FORGE_CATALGO: 'polaris' },
    code: 'CONFIG_INVALID',
    says: /FORGE_CATALGO.*did you mean FORGE_CATALOG/,
  },
  { name: 'FORGE_ variable of a wrong type', env: { FORGE_TOPIC_PARTITIONS: 'x' }, code: 'CONFIG_INVALID', says: /FORGE_TOPIC_PARTITIONS/ },
  { name: '--rate -1', args: ['generate', 'events', '--rate', '-1'], code: 'BAD_FLAG', says: /--rate.*"-1"/, hint: /--rate 100/ },
  { name: '--rate=-1', args: ['generate', 'events', '--rate=-1'], code: 'BAD_FLAG', says: /--rate.*"-1"/ },
  {
    name: '--count 1e99',
    args: ['generate', 'events', '--count', '1e99'],
    code: 'BAD_FLAG',
    says: /--count.*"1e99"/,
    hint: /--count 20000/,
  },
  { name: '--events 0', args: ['up', '--events', '0'], code: 'BAD_FLAG', says: /--events.*"0"/, hint: /30s/ },
  { name: 'unknown flag', args: ['up', '--chekc'], code: 'USAGE', says: /chekc/, hint: /--check/ },
  { name: 'unknown command', args: ['stauts'], code: 'UNKNOWN_COMMAND', says: /stauts/, hint: /forge status/ },
  { name: 'unknown part of a topic', args: ['generate', 'evnts'], code: 'UNKNOWN_COMMAND', says: /evnts/, hint: /forge generate events/ },
  { name: 'an argument too many', args: ['down', 'kafka'], code: 'USAGE', says: /kafka/ },
  { name: 'down with nobody to ask', args: ['down'], code: 'CONFIRMATION_NEEDED', says: /./, hint: /--yes/ },
  {
    name: 'events without a stack',
    args: ['generate', 'events', '--count', '1'],
    exit: 4,
    code: 'NOT_UP',
    says: /brought up/,
    hint: /forge up/,
  },
];

describe('usage and configuration', () => {
  test.each(CASES)('$name', async ({ name, args = UP, yaml, env = {}, exit = 2, code, says, hint = /./ }) => {
    if (yaml !== undefined) writeFileSync(join(folder, 'forge.yaml'), yaml);
    // There is something to take down, but nobody to say yes.
    if (name.startsWith('down with')) mkdirSync(join(folder, '.forge', 'credentials'), { recursive: true });
    const before = contents();
    const [json, plain] = await Promise.all([runForge<ErrorResult>([...args, '--json'], folder, { env }), runForge(args, folder, { env })]);
    expect({ code: json.json.error.code, exit: json.code }).toEqual({ code, exit });
    expect(plain.code).toBe(exit);
    const { message, hint: next } = json.json.error;
    expect(message).toMatch(says);
    expect(next).toMatch(hint);
    expect(json.stderr).toBe('');
    expect(plain.stdout).toBe('');
    expect(plain.stderr).toContain(`Error: ${message}`);
    expect(plain.stderr.match(/^Error: /gm)).toHaveLength(1);
    expect(plain.stderr).not.toMatch(/^\s+at /m);
    expect(contents()).toBe(before);
  });
});

describe('what the machine lacks', () => {
  /**
   * Runs forge in a mount namespace of its own (Linux; with a user namespace where the tests are not run as root), after
   * shell commands that make the machine a worse one: only forge sees their mounts.
   */
  function onWorseMachine(prepare: string, args: string[], env: Record<string, string> = {}) {
    const root = process.getuid?.() === 0;
    const line = [process.execPath, join(packageRoot(), 'bin', 'run.js'), ...args].map((word) => `'${word}'`).join(' ');
    const set = Object.entries({ NO_COLOR: '1', ...env }).map(([name, value]) => `${name}='${value}'`);
    const script = `set -e; ${prepare}; cd '${folder}'; export ${set.join(' ')}; exec ${line}`;
    const ran = spawnSync('unshare', [root ? '-m' : '-rm', 'sh', '-c', script], { encoding: 'utf8' });
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
  }

  async function expectLacking(prepare: string, code: string, says: RegExp, hint: RegExp, env: Record<string, string> = {}) {
    const before = contents();
    const json = onWorseMachine(prepare, [...UP, '--json'], env);
    const plain = onWorseMachine(prepare, UP, env);
    expect([json.code, plain.code], json.stdout + json.stderr + plain.stderr).toEqual([3, 3]);
    const { error } = JSON.parse(json.stdout) as ErrorResult;
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
    expect(error.hint).toMatch(hint);
    expect(plain.stderr).toContain(error.message.split('\n')[0]);
    expect(plain.stderr.match(/^Error: /gm)).toHaveLength(1);
    expect(contents()).toBe(before);
  }

  test('no Java anywhere: all that is missing, with the command that installs it', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const empty = ['/usr/lib/jvm', '/usr/java', '/opt/java'].map((place) => `[ ! -d ${place} ] || mount -t tmpfs none ${place}`).join('; ');
    await expectLacking(empty, 'MISSING_TOOLS', /lacks what forge needs.*Java 17 or newer.*Kafka/s, /nothing was started/, {
      PATH: bin,
      JAVA_HOME: '',
      HOME: folder,
      FORGE_CACHE_DIR: join(folder, 'cache'),
    });
  });

  test('a folder that may only be read', () =>
    expectLacking(
      `mount --bind '${folder}' '${folder}'; mount -o remount,bind,ro '${folder}'`,
      'NOT_WRITABLE',
      /\.forge.*read-only/,
      /--workspace/,
    ));

  test('no space left on the disk', () =>
    expectLacking(
      `mount -t tmpfs -o size=4k none '${folder}'; (cat /dev/zero > '${folder}/full' || true) 2>/dev/null`,
      'DISK_FULL',
      /no space left/,
      /Free some space/,
    ));

  test('a folder of somebody else', () => {
    // Root may write everywhere, so forge runs as nobody then.
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    chmodSync(folder, 0o555);
    const ran = spawnSync(process.execPath, [join(packageRoot(), 'bin', 'run.js'), ...UP, '--json'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, HOME: folder, XDG_CACHE_HOME: '', FORGE_CACHE_DIR: join(folder, 'cache') },
      ...nobody,
    });
    expect(ran.status, ran.stdout + ran.stderr).toBe(3);
    const { error } = JSON.parse(ran.stdout) as ErrorResult;
    expect(error.code).toBe('NOT_WRITABLE');
    expect(error.message).toMatch(/\.forge: permission denied/);
    expect(error.hint).toMatch(/--workspace/);
    expect(contents()).toMatch(/^\. 555 [0-9]+\n$/);
  });
});
