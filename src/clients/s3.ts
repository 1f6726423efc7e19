import { createHash } from 'node:crypto';
import { serverError, type ForgeError } from '../errors.js';
import { redact, type Secret } from '../workspace/secret.js';
import { request, type HttpAnswer } from './http.js';

export interface S3Target {
  /** `http://127.0.0.1:4566` */
  url: string;
  region: string;
  accessKeyId: Secret;
  secretAccessKey: Secret;
  /** Of keys that hold for a while only. */
  sessionToken?: Secret;
}

export interface S3Object {
  key: string;
  size: number;
}

export interface S3Client {
  headBucket(bucket: string): Promise<boolean>;
  /** The bucket with its region, as far as the server tells; undefined when there is none. */
  bucket(name: string): Promise<{ region: string | undefined } | undefined>;
  /** Fine when this user owns such a bucket already. */
  createBucket(bucket: string): Promise<void>;
  /** Empties the bucket and deletes it. False when there was none. */
  deleteBucket(bucket: string): Promise<boolean>;
  headObject(bucket: string, key: string): Promise<{ size: number } | undefined>;
  putObject(bucket: string, key: string, body: string | Uint8Array): Promise<void>;
  /** Undefined when there is no such object. */
  getObject(bucket: string, key: string): Promise<Uint8Array | undefined>;
  deleteObject(bucket: string, key: string): Promise<void>;
  /** All objects under a prefix, page after page. */
  listObjects(bucket: string, prefix?: string): AsyncGenerator<S3Object>;
}

export interface S3Options {
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|(lt|gt|quot|apos|amp));/gi, (_, hex?: string, dec?: string, name?: string) =>
    name !== undefined ? (ENTITIES[name.toLowerCase()] ?? '') : String.fromCodePoint(hex ? parseInt(hex, 16) : Number(dec)),
  );
}

const escapeXml = (text: string): string => text.replace(/[<>&'"\r\n]/g, (c) => `&#${c.charCodeAt(0)};`);

const tag = (xml: string, name: string): string | undefined => {
  const found = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(xml)?.[1];
  return found === undefined ? undefined : unescapeXml(found);
};

/** A path segment as the signature wants it: everything but the unreserved characters is escaped. */
const escape = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** An S3 client for one server (path style). A missing bucket or object is a value; everything else that fails is a ForgeError. */
export async function connectS3(target: S3Target, options: S3Options = {}): Promise<S3Client> {
  const { sign } = (await import('aws4')).default;
  const keys = {
    accessKeyId: target.accessKeyId.reveal(),
    secretAccessKey: target.secretAccessKey.reveal(),
    ...(target.sessionToken === undefined ? {} : { sessionToken: target.sessionToken.reveal() }),
  };

  const address = (bucket: string, key?: string, query: Record<string, string> = {}) => {
    const search = Object.entries(query).map(([name, value]) => `${name}=${escape(value)}`);
    const path = key === undefined ? '' : `/${key.split('/').map(escape).join('/')}`;
    return `${target.url.replace(/\/$/, '')}/${escape(bucket)}${path}${search.length === 0 ? '' : `?${search.join('&')}`}`;
  };

  async function call(method: string, url: string, body?: string | Uint8Array, extra: Record<string, string> = {}): Promise<HttpAnswer> {
    const { host, pathname, search } = new URL(url);
    const content = body === undefined ? {} : { body: Buffer.from(body) };
    // A type of its own: the signature would name that of a form.
    const given = { ...extra, ...(body === undefined ? {} : { 'content-type': 'application/octet-stream' }) };
    const what = { service: 's3', region: target.region, method, host, path: `${pathname}${search}`, headers: given, ...content };
    const { headers = {} } = sign(what, keys);
    return request(url, { method, headers: headers as Record<string, string>, ...content, ...options });
  }

  function refused(answer: HttpAnswer, doing: string): ForgeError {
    const code = tag(answer.text, 'Code');
    const detail = [code, tag(answer.text, 'Message')].filter(Boolean).join(': ') || answer.text.slice(0, 200);
    return serverError({
      code: 'S3_FAILED',
      message: redact(`S3 on ${new URL(target.url).host} answered ${answer.status} to ${doing}${detail === '' ? '' : `: ${detail}`}`),
      hint: answer.status === 403 ? 'The keys in .forge/credentials/aws.json are not accepted' : 'See `forge logs localstack`',
    });
  }

  async function deleteAll(bucket: string, keys: string[]): Promise<void> {
    const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
    const body = `<Delete><Quiet>true</Quiet>${objects}</Delete>`;
    const md5 = createHash('md5').update(body).digest('base64');
    const answer = await call('POST', address(bucket, undefined, { delete: '' }), body, { 'content-md5': md5 });
    if (!answer.ok || answer.text.includes('<Error>')) throw refused(answer, `emptying bucket ${bucket}`);
  }

  const client: S3Client = {
    headBucket: async (bucket) => (await client.bucket(bucket)) !== undefined,
    async bucket(name) {
      const answer = await call('HEAD', address(name));
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw refused(answer, `looking for bucket ${name}`);
      return { region: answer.headers['x-amz-bucket-region'] };
    },
    async createBucket(bucket) {
      const elsewhere = `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${target.region}</LocationConstraint></CreateBucketConfiguration>`;
      const answer = await call('PUT', address(bucket), target.region === 'us-east-1' ? undefined : elsewhere);
      if (answer.status === 409 && tag(answer.text, 'Code') === 'BucketAlreadyOwnedByYou') return;
      if (!answer.ok) throw refused(answer, `creating bucket ${bucket}`);
    },
    async deleteBucket(bucket) {
      if (!(await client.headBucket(bucket))) return false;
      let keys: string[] = [];
      for await (const { key } of client.listObjects(bucket)) {
        if (keys.push(key) < 1_000) continue;
        await deleteAll(bucket, keys);
        keys = [];
      }
      if (keys.length > 0) await deleteAll(bucket, keys);
      const answer = await call('DELETE', address(bucket));
      if (!answer.ok && answer.status !== 404) throw refused(answer, `deleting bucket ${bucket}`);
      return true;
    },
    async headObject(bucket, key) {
      const answer = await call('HEAD', address(bucket, key));
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw refused(answer, `looking for ${bucket}/${key}`);
      return { size: Number(answer.headers['content-length'] ?? 0) };
    },
    async putObject(bucket, key, body) {
      const answer = await call('PUT', address(bucket, key), body);
      if (!answer.ok) throw refused(answer, `writing ${bucket}/${key}`);
    },
    async getObject(bucket, key) {
      const answer = await call('GET', address(bucket, key));
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw refused(answer, `reading ${bucket}/${key}`);
      return answer.bytes;
    },
    async deleteObject(bucket, key) {
      const answer = await call('DELETE', address(bucket, key));
      if (!answer.ok && answer.status !== 404) throw refused(answer, `deleting ${bucket}/${key}`);
    },
    async *listObjects(bucket, prefix = '') {
      for (let token: string | undefined, more = true; more;) {
        const query: Record<string, string> = token === undefined ? {} : { 'continuation-token': token };
        const answer = await call('GET', address(bucket, undefined, { ...query, 'list-type': '2', prefix }));
        if (!answer.ok) throw refused(answer, `listing bucket ${bucket}`);
        for (const [, entry = ''] of answer.text.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g))
          yield { key: tag(entry, 'Key') ?? '', size: Number(tag(entry, 'Size') ?? 0) };
        token = tag(answer.text, 'NextContinuationToken');
        more = tag(answer.text, 'IsTruncated') === 'true' && token !== undefined;
      }
    },
  };
  return client;
}
