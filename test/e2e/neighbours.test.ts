import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnvResult, ErrorResult, StatusResult, UpResult, VerifyResult } from '../../src/cli/schemas.js';
import { listeners, processesOf, sandbox, type Sandbox } from '../helpers/forge.js';
import { changedOf, eventsOfTopic, expectAgreement, play, sumOf, viewTotals } from '../helpers/sums.js';

const UP = ['up', '--catalog', 'iceberg-rest'];
const DEFAULT_KAFKA = 19094;

/** Somebody else's server, which writes down every byte that it gets. */
interface Stranger {
  port: number;
  bytes: Buffer[];
  server: Server;
}

async function stranger(port: number): Promise<Stranger> {
  const bytes: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('data', (data: Buffer) => bytes.push(data)).on('error', () => undefined);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, bytes, server };
}

const strangers: Stranger[] = [];
const boxes: Sandbox[] = [];
let first: Sandbox;
let second: Sandbox;

beforeAll(async () => {
  for (let count = 0; count < 3; count += 1) boxes.push(await sandbox());
  [first, second] = boxes as [Sandbox, Sandbox];
});
afterAll(async () => {
  for (const { server } of strangers) server.close();
  for (const box of boxes) await box.remove();
});

const env = (box: Sandbox): Promise<EnvResult> => box.ok<EnvResult>(['env']);
const pidsOf = async (box: Sandbox): Promise<number[]> =>
  (await box.ok<StatusResult>(['status'])).components.flatMap(({ pids }) => pids ?? []).sort();

test('a port that was ordered and is taken: refused, the process is named, nothing is written or started', async () => {
  const box = boxes[2]!;
  const other = await stranger(0);
  strangers.push(other);
  const text = `ports:\n  kafka: ${other.port}\n`;
  writeFileSync(join(box.root, 'forge.yaml'), text);
  const ran = await box.forge<ErrorResult>([...UP, '--json']);
  const plain = await box.forge(UP);
  expect([ran.code, plain.code]).toEqual([3, 3]);
  expect(ran.json.error.code).toBe('PORT_TAKEN');
  expect(ran.json.error.message).toContain(`ort ${other.port}`);
  expect(ran.json.error.message).toContain(`pid ${process.pid}`);
  expect(ran.json.error.hint).toMatch(/forge\.yaml/);
  expect(plain.stderr).toContain(`pid ${process.pid}`);
  expect(existsSync(join(box.root, '.forge'))).toBe(false);
  expect(processesOf(box.root)).toEqual([]);
  expect(other.bytes).toEqual([]);
});

test('a default port that a stranger has: Kafka moves, a line says so, the stranger is asked nothing', async () => {
  // Where another stack of this machine has the port already, that one is the stranger.
  if (!listeners().some(({ port }) => port === DEFAULT_KAFKA)) strangers.push(await stranger(DEFAULT_KAFKA));
  const ran = await first.forge(UP);
  expect(ran.stderr + ran.stdout).toMatch(/Port 19094 \(kafka\) is taken by .+; [0-9]+ is used instead/);
  expect(ran.code).toBe(0);
  const { KAFKA_BOOTSTRAP_SERVERS } = await env(first);
  expect(KAFKA_BOOTSTRAP_SERVERS).not.toBe(`127.0.0.1:${DEFAULT_KAFKA}`);
  await play(first, 300);
  expect(sumOf(await eventsOfTopic(await env(first)))).toBe(300);
  expect(Buffer.concat(strangers.flatMap(({ bytes }) => bytes)).length).toBe(0);
});

test('two workspaces at once share no server; each proves its own events; down of one leaves the other alone', async () => {
  const started = await second.ok<UpResult>(UP);
  expect(started.failed).toBe(0);
  const ports = [await env(first), await env(second)].map((variables) =>
    [variables.KAFKA_BOOTSTRAP_SERVERS, variables.ICEBERG_REST_URI, variables.AWS_ENDPOINT_URL, variables.PGPORT].map(String),
  );
  expect(ports[0]!.filter((address) => ports[1]!.includes(address))).toEqual([]);
  await play(second, 200);
  for (const box of [first, second]) {
    const { legs } = await box.ok<VerifyResult>(['verify', '--probe']);
    expect(legs.filter(({ ok }) => !ok)).toEqual([]);
  }
  await expectAgreement(first, 'first');
  await expectAgreement(second, 'second');
  // The probe's own events are in the topics too.
  const players = await Promise.all([first, second].map(async (box) => eventsOfTopic(await env(box))));
  expect(
    players.map((counts) => sumOf(Object.fromEntries(Object.entries(counts).filter(([name]) => !name.startsWith('forge-probe-'))))),
  ).toEqual([300, 200]);

  const before = await pidsOf(first);
  await second.ok(['down', '--yes']);
  expect(processesOf(second.root)).toEqual([]);
  expect(await pidsOf(first)).toEqual(before);
  const { legs } = await first.ok<VerifyResult>(['verify', '--probe']);
  expect(legs.filter(({ ok }) => !ok)).toEqual([]);
});

test('down --keep-data and up: the same ports, the same events, the same totals', async () => {
  const before = { env: await env(first), events: await eventsOfTopic(await env(first)), totals: await expectAgreement(first, 'before') };
  await first.ok(['down', '--yes', '--keep-data']);
  expect(processesOf(first.root)).toEqual([]);
  const again = await first.ok<UpResult>(['up']);
  expect(changedOf(again)).toEqual(expect.arrayContaining(['kafka', 'postgresql', 'localstack', 'job']));
  expect(await env(first)).toEqual(before.env);
  expect(await eventsOfTopic(before.env)).toEqual(before.events);
  expect(await expectAgreement(first, 'after')).toEqual(before.totals);
  expect(await viewTotals(before.env)).toEqual(before.totals);
  expect(changedOf(await first.ok<UpResult>(['up']))).toEqual([]);
  expect(Buffer.concat(strangers.flatMap(({ bytes }) => bytes)).length).toBe(0);
});
