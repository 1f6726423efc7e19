import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventsTarget } from '../../../src/lifecycle/events-target.js';
import type { RuntimeName } from '../../../src/workspace/context.js';
import { writeKept } from '../../../src/workspace/kept.js';
import { prepareWorkspace, workspaceAt } from '../../../src/workspace/workspace.js';
import { projectRoot, runNode } from '../cli/run.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'forge-target-'));
  await writeFile(path.join(folder, 'forge.yaml'), 'topic:\n  name: pops\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function bringUp(runtime: RuntimeName): Promise<void> {
  const workspace = workspaceAt(folder);
  await prepareWorkspace(workspace);
  const context = runtime === 'kubernetes' ? { context: 'no-such-context' } : {};
  await writeKept(workspace, {
    stack: 'balloon-popper',
    runtime,
    engine: 'flink',
    catalog: 'polaris',
    ...context,
    ports: { kafka: 19555 },
  });
}

async function target(told: { bootstrapServers?: string; topic?: string }, from: 'variables' | 'flags') {
  const notes: string[] = [];
  const found = await eventsTarget({
    folder,
    cacheDir: path.join(folder, 'cache'),
    packageRoot: projectRoot,
    ...told,
    variables: { bootstrapServers: from === 'variables', topic: from === 'variables' },
    signal: AbortSignal.timeout(20_000),
    note: (text) => notes.push(text),
  });
  return { ...found, notes };
}

describe('a variable with a broker', () => {
  it.each(['127.0.0.1:19555', 'localhost:19555'])(
    'of the workspace itself (%s) is the workspace, with its topic',
    async (bootstrapServers) => {
      await bringUp('process');
      const found = await target({ bootstrapServers }, 'variables');
      expect(found).toMatchObject({ bootstrapServers: '127.0.0.1:19555', topic: 'pops', notes: [] });
    },
  );

  it('of a workspace on a cluster is reached through the cluster, and not past it', async () => {
    await bringUp('kubernetes');
    const { reach } = await target({ bootstrapServers: '127.0.0.1:19555' }, 'variables');
    await expect(reach(() => Promise.resolve('past it'))).rejects.toThrow(/no-such-context|kubeconfig/);
  });

  it('that is another one is used, and said', async () => {
    await bringUp('process');
    const found = await target({ bootstrapServers: '127.0.0.1:1' }, 'variables');
    expect(found).toMatchObject({ bootstrapServers: '127.0.0.1:1', topic: 'balloon-game' });
    expect(found.notes).toEqual([expect.stringMatching(/127\.0\.0\.1:1,.*KAFKA_BOOTSTRAP_SERVERS/)]);
  });

  it('is used where the settings of the folder are broken', async () => {
    await writeFile(path.join(folder, 'forge.yaml'), 'nonsense: [');
    expect(await target({ bootstrapServers: '127.0.0.1:1' }, 'variables')).toMatchObject({ bootstrapServers: '127.0.0.1:1' });
  });
});

it('a variable with a topic is used, and said where it is not that of the stack', async () => {
  await bringUp('process');
  expect(await target({ topic: 'pops' }, 'variables')).toMatchObject({ topic: 'pops', notes: [] });
  const other = await target({ topic: 'more' }, 'variables');
  expect(other).toMatchObject({ topic: 'more', notes: [expect.stringMatching(/more.*KAFKA_TOPIC/)] });
});

it('flags are used without a word', async () => {
  await bringUp('process');
  const found = await target({ bootstrapServers: '127.0.0.1:1', topic: 'more' }, 'flags');
  expect(found).toMatchObject({ bootstrapServers: '127.0.0.1:1', topic: 'more', notes: [] });
});

it('a workspace that is named counts more than both variables', { timeout: 60_000 }, async () => {
  // Neither variable would be taken as a flag.
  const env = { KAFKA_BOOTSTRAP_SERVERS: 'nobody', KAFKA_TOPIC: 'a b' };
  const ran = await runNode(path.join(projectRoot, 'bin', 'dev.js'), ['generate', 'events', '--count', '1', '-w', folder, '--json'], {
    env,
  });
  expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: 'NOT_UP' } });
});
