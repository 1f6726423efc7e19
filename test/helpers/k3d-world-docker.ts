import { execFile } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** A way to the Docker engine that can be closed, as if the engine had stopped; the engine itself goes on for everybody else. */
export interface DockerDoor {
  /** For forge's environment. */
  env: Record<string, string>;
  /** Cuts every connection, and refuses new ones until `open`. */
  close(): Promise<void>;
  open(): Promise<void>;
}

const ENGINE = (process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');

export async function dockerDoor(folder: string): Promise<DockerDoor> {
  if (!ENGINE.startsWith('/')) throw new Error(`This suite needs Docker on a unix socket, and DOCKER_HOST is ${ENGINE}`);
  const path = join(folder, 'docker.sock');
  const sockets = new Set<Socket>();
  // Both directions end on their own: `docker load` says that its file ends and then waits for the answer.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect({ path: ENGINE, allowHalfOpen: true });
    for (const [one, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one));
      one.pipe(other);
    }
  });
  const open = (): Promise<void> => (server.listening ? Promise.resolve() : new Promise((done) => server.listen(path, done)));
  await open();
  return {
    // k3d mounts the engine's own socket into the container that imports images.
    env: { DOCKER_HOST: `unix://${path}`, DOCKER_SOCK: process.env['DOCKER_SOCK'] || ENGINE },
    open,
    async close() {
      if (!server.listening) return;
      const closed = new Promise((done) => server.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Runs a program behind forge's back; gives the lines that it says. */
export function command(program: string, ...args: string[]): Promise<string[]> {
  return new Promise((done, fail) => {
    execFile(program, args, (error, stdout, stderr) => {
      if (error === null) done(stdout.split('\n').filter((line) => line !== ''));
      else fail(new Error(`${program} ${args.join(' ')}: ${stderr || error.message}`));
    });
  });
}
