import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { waitUntil } from '../../../src/clients/wait.js';
import { loadPackages, pickSets } from '../../../src/runtimes/process/install/definition.js';
import { digestOf, fetchInto, lengthOf } from '../../../src/runtimes/process/install/fetch.js';
import { installSets } from '../../../src/runtimes/process/install/install.js';
import { scratch } from '../../helpers/folders.js';
import { listen } from '../../helpers/fake-polaris/server.js';

const ARCHIVE = randomBytes(300_000);
const PAGE = '/simple/apache-flink-libraries/';
let root: string;
let server: Server;
let site: string;
/** What the server was asked for: ranges of the archive, and the index. */
let asked: string[];
/** Where the answer about the archive is cut off, the first so many times. */
let cuts: number[];
let sha256: string;
let settings: string;

beforeEach(async () => {
  root = scratch();
  [asked, cuts, sha256] = [[], [], createHash('sha256').update(ARCHIVE).digest('hex')];
  server = createServer((request, response) => {
    if (request.url === PAGE) {
      asked.push('index');
      const file = (filename: string) => ({ filename, url: '../../files/a.tar.gz', hashes: { sha256 } });
      return void response.end(
        JSON.stringify({ files: [file('apache_flink_libraries-2.1.2.tar.gz'), file('apache_flink_libraries-2.1.3.tar.gz')] }),
      );
    }
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push(`from ${from}`);
    if (from >= ARCHIVE.length) return void response.writeHead(416).end();
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': ARCHIVE.length - from });
    const cut = cuts.shift();
    if (cut === undefined) response.end(ARCHIVE.subarray(from));
    else response.write(ARCHIVE.subarray(from, cut), () => void arrived(Math.min(cut, from + 1)).then(() => response.destroy()));
  });
  site = `http://127.0.0.1:${await listen(server)}`;
  settings = `global.index-url='${site}/simple'`;
  for (const name of ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']) vi.stubEnv(name, '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.close();
  server.closeAllConnections();
});

const downloads = (): string => path.join(root, 'cache/downloads/apache-flink-libraries-2.1.3');
const part = (): string => path.join(downloads(), 'apache-flink-libraries.tar.gz.part');
/** What is on its way when a connection breaks may be lost: so it breaks when something is there. */
const arrived = (bytes: number): Promise<unknown> =>
  waitUntil(async () => (await lengthOf(part())) >= bytes, { what: 'bytes of the archive', timeoutMs: 10_000 });
const half = (): void => {
  mkdirSync(downloads(), { recursive: true });
  writeFileSync(part(), ARCHIVE.subarray(0, 150_000));
};

/** Installs with a Python whose pip downloads four letters; gives what was unpacked. */
async function install({ signal = new AbortController().signal, onBytes = (_bytes: number): void => undefined } = {}): Promise<Buffer> {
  const python = path.join(root, 'python');
  const script = `#!/bin/sh
case "$1 $2 $3" in
  '-m venv '*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  '-m pip config') printf '%s\\n' "${settings}" ;;
  '-m pip download') while [ "$1" != -d ]; do shift; done; mkdir -p "$2"; printf 'pip!' > "$2/a-1.tar.gz" ;;
  *) cp "$3" "$5/unpacked" ;;
esac
`;
  writeFileSync(python, script, { mode: 0o755 });
  const set = `{kind: pip-archive, title: F, version: '2.1.3', downloadMB: 1, diskMB: 1, package: apache-flink-libraries, folder: deps}`;
  writeFileSync(path.join(root, 'packages.yaml'), `mavenDependencyPlugin: '1'\njava: {}\nsets:\n  flink: ${set}\n`);
  const packages = await loadPackages(root);
  const { flink } = await installSets(packages, pickSets(packages, ['flink']), {
    cacheDir: path.join(root, 'cache'),
    toolchain: { javas: [], python: { program: python, version: '3.11', venv: true } },
    signal,
    onProgress: ([one]) => onBytes(one!.doneBytes),
  });
  expect(readdirSync(path.join(root, 'cache/downloads'))).toEqual([]);
  return readFileSync(path.join(flink!.dir, 'unpacked'));
}

test('a download that was killed goes on where it ended, from the index of pip', async () => {
  half();
  expect((await install()).equals(ARCHIVE)).toBe(true);
  expect(asked).toEqual(['index', 'from 150000']);
});

test('a connection that breaks is followed by another', async () => {
  cuts = [100_000, 200_000];
  expect((await install()).equals(ARCHIVE)).toBe(true);
  expect(asked.slice(0, 2)).toEqual(['index', 'from 0']);
  expect(asked.slice(2)).toEqual([expect.stringMatching(/^from [1-9]/), expect.stringMatching(/^from [1-9]/)]);
});

test('stopped, it keeps what it has', async () => {
  const stop = new AbortController();
  const onBytes = (bytes: number): void => {
    if (bytes > 0) stop.abort(new Error('stopped by the user'));
  };
  await expect(install({ signal: stop.signal, onBytes })).rejects.toThrow('stopped by the user');
  expect(existsSync(part())).toBe(true);
});

test('one with another sum is thrown away, and pip has to', async () => {
  half();
  sha256 = 'a'.repeat(64);
  expect(String(await install())).toBe('pip!');
});

test('a server that breaks off again and again leaves it to pip', async () => {
  cuts = [100_000, ...Array.from({ length: 10 }, () => 0)];
  expect(String(await install())).toBe('pip!');
});

test.each([
  ['an index that does not answer', `global.index-url='http://127.0.0.1:9/simple'`],
  ['another place to look at', `global.find-links='/opt/wheels'`],
  ['a proxy', `:env:.proxy='http://proxy:3128'`],
  ['two indexes', `global.index-url='https://a/simple'\n:env:.index-url='https://b/simple'`],
])('it is left to a pip that is set to %s', async (_name, text) => {
  settings = text;
  expect(String(await install())).toBe('pip!');
  expect(asked).toEqual([]);
});

test('behind a proxy it is left to pip', async () => {
  vi.stubEnv('https_proxy', 'http://proxy:3128');
  expect(String(await install())).toBe('pip!');
  expect(asked).toEqual([]);
});

test('a server that falls silent is not waited for without end', async () => {
  server.removeAllListeners('request').on('request', (_request, response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half');
  });
  const file = path.join(root, 'file');
  await expect(fetchInto(`${site}/x`, file, { silentMs: 100 })).rejects.toThrow(/127\.0\.0\.1.*timed out/);
  expect(readFileSync(file, 'utf8')).toBe('half');
  expect(await digestOf(file, 'sha256')).toBe(createHash('sha256').update('half').digest('hex'));
});
