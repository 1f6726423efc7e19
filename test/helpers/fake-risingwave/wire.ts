import type { Answer } from './execute.js';

/** A message of PostgreSQL's protocol 3.0, from the server. */
function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

export const welcome = (): Buffer =>
  Buffer.concat([
    message('R', int32(0)),
    ...Object.entries({ client_encoding: 'UTF8', standard_conforming_strings: 'on', server_version: '13.14.0' }).map(([name, value]) =>
      message('S', Buffer.concat([text(name), text(value)])),
    ),
    message('K', Buffer.concat([int32(1), int32(1)])),
    ready(),
  ]);

export const ready = (): Buffer => message('Z', Buffer.from('I'));
export const emptyQuery = (): Buffer => message('I');

const fields = (severity: string, code: string, said: string): Buffer =>
  Buffer.concat([text(`S${severity}`), text(`V${severity}`), text(`C${code}`), text(`M${said}`), Buffer.from([0])]);

export const failure = (said: string, code: string, severity = 'ERROR'): Buffer => message('E', fields(severity, code, said));

export function answer({ tag, columns, rows, notice }: Answer): Buffer {
  const parts: Buffer[] = notice === undefined ? [] : [message('N', fields('NOTICE', '00000', notice))];
  if (columns !== undefined) {
    const described = columns.map(({ name, oid }) =>
      Buffer.concat([text(name), int32(0), int16(0), int32(oid), int16(-1), int32(-1), int16(0)]),
    );
    parts.push(message('T', Buffer.concat([int16(columns.length), ...described])));
    for (const row of rows ?? []) {
      const values = row.map((value) => {
        if (value === null) return int32(-1);
        const bytes = Buffer.from(typeof value === 'boolean' ? (value ? 't' : 'f') : String(value));
        return Buffer.concat([int32(bytes.length), bytes]);
      });
      parts.push(message('D', Buffer.concat([int16(row.length), ...values])));
    }
  }
  return Buffer.concat([...parts, message('C', text(tag))]);
}

export interface Received {
  /** Empty for the start-up message, which has no type. */
  type: string;
  body: Buffer;
}

/** Takes whole messages out of what has arrived so far. */
export class Inbox {
  #bytes = Buffer.alloc(0);
  #started = false;

  add(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  take(): Received | undefined {
    const head = this.#started ? 1 : 0;
    if (this.#bytes.length < head + 4) return undefined;
    const length = this.#bytes.readInt32BE(head);
    if (this.#bytes.length < head + length) return undefined;
    const type = this.#bytes.toString('latin1', 0, head);
    const body = this.#bytes.subarray(head + 4, head + length);
    this.#bytes = this.#bytes.subarray(head + length);
    // Before it starts, a client may ask for encryption.
    if (!this.#started) this.#started = body.readInt32BE(0) === 196_608;
    return { type, body };
  }
}
