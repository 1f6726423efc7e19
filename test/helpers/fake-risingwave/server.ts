import { createServer, type Server, type Socket } from 'node:net';
import { execute, type Manners } from './execute.js';
import { State } from './state.js';
import { Refusal, splitMessage } from './tokens.js';
import { answer, emptyQuery, failure, Inbox, ready, welcome, type Received } from './wire.js';

const PROTOCOL = 196_608;
const ENCRYPTION = 80_877_103;

/** What it can be told, so that it fails as RisingWave can. */
export interface Faults {
  /** Takes connections and says nothing. */
  silent: boolean;
  /** Objects that stay CREATING. */
  stuck: Set<string>;
  /** Says no to statements that match, and quotes them, as RisingWave does. */
  refuses: RegExp | undefined;
}

export interface FakeRisingWave {
  server: Server;
  state: State;
  faults: Faults;
  /** Every statement that it was asked to run. */
  statements: string[];
  /** Lets an object become CREATED. */
  release(name: string): void;
  /** A sink fails, now or then. */
  failSink(name: string, error: string, at?: Date): void;
}

/** A small, strict server that speaks PostgreSQL's protocol and keeps what it is told. */
export function fakeRisingWave(manners: Pick<Manners, 'views'> = {}): FakeRisingWave {
  const state = new State();
  const faults: Faults = { silent: false, stuck: new Set(), refuses: undefined };
  const held = new Map<string, () => void>();
  const statements: string[] = [];
  const hold = (name: string): Promise<void> | undefined =>
    faults.stuck.has(name) ? new Promise((resolve) => held.set(name, resolve)) : undefined;

  async function query(sql: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    try {
      const all = splitMessage(sql);
      if (all.length === 0) parts.push(emptyQuery());
      for (const one of all) {
        statements.push(one);
        if (faults.refuses?.test(one))
          throw new Refusal(`Failed to run the query\n\nCaused by:\n  it is told to refuse this\nLINE 1: ${one}`);
        parts.push(answer(await execute(state, one, { ...manners, hold })));
      }
    } catch (error) {
      parts.push(error instanceof Refusal ? failure(error.message, error.code) : failure(`internal error: ${String(error)}`, 'XX000'));
    }
    return Buffer.concat([...parts, ready()]);
  }

  async function reply({ type, body }: Received, socket: Socket): Promise<Buffer | undefined> {
    if (type === '') {
      const code = body.readInt32BE(0);
      if (code === ENCRYPTION) return Buffer.from('N');
      if (code !== PROTOCOL) return void socket.end();
      return refusedLogin(body) ?? welcome();
    }
    if (type === 'Q') return query(body.toString('utf8', 0, body.length - 1));
    if (type === 'S') return ready();
    if (type === 'X') return void socket.end();
    return failure('Not supported: the stand-in speaks the simple protocol only', '0A000');
  }

  const server = createServer((socket) => {
    const inbox = new Inbox();
    let turn: Promise<unknown> = Promise.resolve();
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      inbox.add(bytes);
      for (let received = inbox.take(); received !== undefined; received = inbox.take()) {
        if (faults.silent) continue;
        const one = received;
        turn = turn.then(async () => {
          const said = await reply(one, socket);
          if (said !== undefined && socket.writable) socket.write(said);
        });
      }
    });
  });
  return {
    server,
    state,
    faults,
    statements,
    release(name) {
      faults.stuck.delete(name);
      held.get(name)?.();
      const entry = state.find('public', name);
      if (entry !== undefined) entry.status = 'CREATED';
    },
    failSink(name, error, at = new Date()) {
      const entry = state.find('public', name);
      state.events.push({
        at,
        type: 'SINK_FAIL',
        info: { sinkFail: { sinkId: entry?.id ?? 0, sinkName: name, connector: 'iceberg', error } },
      });
    },
  };
}

/** User root, no password, database dev. */
function refusedLogin(body: Buffer): Buffer | undefined {
  const words = body.toString('utf8', 4).split('\0');
  const given = (name: string): string | undefined => words[words.findIndex((word, at) => at % 2 === 0 && word === name) + 1];
  if (given('user') !== 'root') return failure(`Role ${given('user') ?? ''} does not exist`, '28000', 'FATAL');
  const database = given('database') ?? 'dev';
  return database === 'dev' ? undefined : failure(`database "${database}" does not exist`, '3D000', 'FATAL');
}
