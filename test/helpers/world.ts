import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { packageRoot } from '../../src/cli/paths.js';
import type { StackContext } from '../../src/workspace/context.js';
import { openStack } from '../../src/workspace/open.js';

/** The running stack that integration tests work on, and a folder of their own for files. */
export interface TestWorld {
  stack: StackContext;
  scratch: string;
  close: () => Promise<void>;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the workspace whose servers are up; set by servers.setup.ts. */
    workspaceRoot: string;
    cacheDir: string;
  }
}

export async function openTestWorld(): Promise<TestWorld> {
  const stack = await open(inject('workspaceRoot'));
  const scratch = await mkdtemp(join(tmpdir(), 'forge-contract-'));
  return { stack, scratch, close: () => rm(scratch, { recursive: true, force: true }) };
}

/** The same world with an empty workspace of its own, for what lives in files: those of the running stack are not touched. */
export async function withOwnWorkspace(world: TestWorld): Promise<TestWorld> {
  const { workspace, credentials } = await open(join(world.scratch, 'workspace'));
  return { ...world, stack: { ...world.stack, workspace, credentials } };
}

async function open(root: string): Promise<StackContext> {
  return (await openStack({ root, env: process.env, cacheDir: inject('cacheDir'), packageRoot: packageRoot() })).stack;
}

/** The same world, except that nobody listens on the port of this endpoint. */
export async function withClosedPort(world: TestWorld, endpoint: string): Promise<TestWorld> {
  const { endpoints } = world.stack;
  const found = endpoints[endpoint];
  if (!found) throw new Error(`there is no endpoint ${endpoint}; there are ${Object.keys(endpoints).join(', ')}`);
  const port = await closedPort();
  const moved = <At extends { port: number; url: string }>(at: At): At => ({ ...at, port, url: at.url.replace(`:${at.port}`, `:${port}`) });
  const closed = { ...moved(found), inside: moved(found.inside) };
  const ports = Object.fromEntries(Object.entries(world.stack.ports).map(([name, value]) => [name, value === found.port ? port : value]));
  return { ...world, stack: { ...world.stack, ports, endpoints: { ...endpoints, [endpoint]: closed } } };
}

/** A port on which nobody listens: one that was free a moment ago. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}
