import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { StackPlace } from '../../../src/doctor/check.js';
import { s3Answers } from '../../../src/doctor/checks/s3/s3-answers.js';
import { s3Region } from '../../../src/doctor/checks/s3/s3-region.js';
import { s3RoundTrip } from '../../../src/doctor/checks/s3/s3-round-trip.js';
import { Secret } from '../../../src/workspace/secret.js';
import { placeOf } from '../../helpers/doctor-place.js';

let server: Server | undefined;
afterEach(() => server?.close());

interface Store {
  status?: number;
  region?: string;
  /** What it makes of an object. */
  keeps?: (body: string) => string;
}

/** An object store with one bucket; tells which requests it got. */
async function store({ status = 200, region = 'us-east-1', keeps = (body) => body }: Store): Promise<{ place: StackPlace; got: string[] }> {
  const got: string[] = [];
  const objects = new Map<string, string>();
  server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.once('end', () => {
      got.push(`${method} ${url.replace(/[0-9a-f-]{36}$/, 'ID')}`);
      if (method === 'PUT') objects.set(url, keeps(body));
      const found = method === 'GET' ? objects.get(url) : '';
      response.writeHead(found === undefined ? 404 : status, { 'x-amz-bucket-region': region }).end(method === 'GET' ? found : undefined);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const endpoint = { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}` };
  const credentials = { get: () => ({ accessKeyId: new Secret('key-of-a-test'), secretAccessKey: new Secret('secret-of-a-test') }) };
  const stack = { endpoints: { localstack: { ...endpoint, inside: endpoint } }, credentials: credentials as never };
  return { place: placeOf({ stack }), got };
}

it('a store that answers and keeps what it gets is well; what is written is by path, and deleted again', async () => {
  const { place, got } = await store({});
  for (const check of [s3Answers, s3Region, s3RoundTrip]) expect(await check.look(place)).toEqual([]);
  const { bucket } = place.stack.config.lake;
  const object = `/${bucket}/.forge-doctor/ID`;
  expect(got).toEqual([`HEAD /${bucket}`, `PUT ${object}`, `GET ${object}`, `DELETE ${object}`]);
});

it('a store that refuses the keys says so, and does not show them', async () => {
  const { place } = await store({ status: 403 });
  const [trouble] = await s3Answers.look(place);
  expect([trouble?.title, trouble?.remedy]).toEqual([
    'The object store refuses the keys of the stack',
    'The keys in .forge/credentials/aws.json are not accepted',
  ]);
  expect(JSON.stringify(trouble)).not.toContain('of-a-test');
});

it('a bucket of another region is told', async () => {
  const { place } = await store({ region: 'eu-central-1' });
  expect((await s3Region.look(place))[0]?.cause).toMatch(/made in eu-central-1, and lake.region is us-east-1/);
});

it('an object that comes back as another one is told', async () => {
  const { place } = await store({ keeps: () => 'something else' });
  expect((await s3RoundTrip.look(place))[0]?.cause).toMatch(/gives something else back/);
});
