import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ForgeError } from '../../../src/errors.js';
import { markedProcesses, processTable } from '../../../src/runtimes/process/identify.js';
import { ownPorts } from '../../../src/runtimes/process/ports.js';
import { startProcess } from '../../../src/runtimes/process/spawn.js';
import { listProcesses, processState, recordedProcess, runFile, runFolder } from '../../../src/runtimes/process/state.js';
import { stopProcess } from '../../../src/runtimes/process/stop.js';
import type { ProcessSpec } from '../../../src/runtimes/types.js';
import { waitUntil } from '../../../src/clients/wait.js';
import { Secret } from '../../../src/workspace/secret.js';
import { workspaceAt } from '../../../src/workspace/workspace.js';
import { answers, newPlace, serverSpec, type Place } from './helper.js';

let place: Place;
beforeEach(async () => {
  place = await newPlace();
});
afterEach(() => place.leave());

const start = (spec: ProcessSpec) => startProcess(spec, { ...place, ports: { fake: place.port } });
const state = () => processState(place.workspace, 'fake-server');
const dead = (pid: number) => waitUntil(async () => !(await processTable()).has(pid), { what: `${pid} to end`, timeoutMs: 5000 });

async function failure(promise: Promise<unknown>): Promise<ForgeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ForgeError);
  return error as ForgeError;
}

describe('a server that starts', () => {
  it('is in a session of its own, with a small environment, a private log and a record without secrets', async () => {
    const script = `console.log(JSON.stringify(process.env)); console.log(process.umask().toString(8))`;
    await start(serverSpec(place, script, { env: { TOKEN: new Secret('correct horse battery') } }));
    const { pid, pids, fingerprint, startedAt, ...rest } = await state();
    const [measured] = await listProcesses(place.workspace, { memory: true });
    expect(rest).toMatchObject({ name: 'fake-server', component: 'fake', state: 'running' });
    expect({ fingerprint, pids }).toEqual({ fingerprint: 'program=1 settings=2 credentials=3', pids: [pid] });
    expect(measured?.residentBytes).toBeGreaterThan(1e6);
    expect(Date.now() - new Date(startedAt ?? 0).getTime()).toBeLessThan(10_000);

    const log = readFileSync(`${place.workspace.logs}/fake-server.log`, 'utf8').split('\n');
    const environment = JSON.parse(log[0] ?? '') as Record<string, string>;
    const names = Object.keys(environment).filter(
      (name) => !name.startsWith('FORGE_PROCESS_') && !['PWD', '_', 'SHLVL', 'OLDPWD'].includes(name),
    );
    expect(names.sort()).toEqual(['HOME', 'LANG', 'PATH', 'TOKEN', 'TZ']);
    expect(environment).toMatchObject({ TOKEN: 'correct horse battery', TZ: 'UTC' });
    expect(log[1]).toBe('77');

    const record = runFile(place.workspace, 'fake-server');
    for (const file of [record, `${place.workspace.logs}/fake-server.log`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    expect(readFileSync(record, 'utf8') + commandLine).not.toContain('correct horse');
    const [, , , , , session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
    expect(Number(session)).toBe(pid);
  });

  it('is on record before it is asked for the first time', async () => {
    const onRecord: boolean[] = [];
    const ready = {
      description: 'it answers',
      check: async () => {
        onRecord.push((await recordedProcess(place.workspace, 'fake-server')) !== undefined);
        return answers(place.port);
      },
    };
    // The shell takes a moment to read them all before it tells who it is.
    const env = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`V${at}`, 'x']));
    await start(serverSpec(place, '', { ready, env }));
    expect(onRecord).toEqual(onRecord.map(() => true));
  });

  it('and dies is reported at once, with its log and without its secrets', async () => {
    const script = `console.error('cannot open the vault with hunter2hunter2'); process.exit(3)`;
    const spec = serverSpec(place, '', { args: ['-e', script], env: { KEY: new Secret('hunter2hunter2') }, readySeconds: 60 });
    const before = Date.now();
    const error = await failure(start(spec));
    expect(Date.now() - before).toBeLessThan(2000);
    expect(error).toMatchObject({ code: 'SERVER_DIED', exitCode: 4 });
    expect(error.message).toMatch(/fake-server ended while starting \(exit code 3\).*cannot open the vault with \*\*\*/s);
    expect((await state()).state).toBe('dead');
  });

  it('whose program is not there says so', async () => {
    const error = await failure(start(serverSpec(place, '', { command: '/nowhere/java', readySeconds: 60 })));
    expect(error).toMatchObject({ code: 'SERVER_DIED' });
    expect(error.message).toMatch(/nowhere\/java/);
  });

  it('shows the first error when what follows is only the shutdown', async () => {
    const script = `console.log('2026-01-01 00:00:00,000 ERROR the disk is full'); for (let i = 0; i < 60; i++) console.log('INFO closing', i); process.exit(1)`;
    const error = await failure(start(serverSpec(place, '', { args: ['-e', script] })));
    expect(error.message).toMatch(/the disk is full.*…\n.*closing 59/s);
  });

  it('and does not answer in time is reported with what was waited for', async () => {
    const never = { description: 'the moon is blue', check: () => Promise.resolve(false) };
    const error = await failure(start(serverSpec(place, `console.log('waiting for the moon')`, { ready: never, readySeconds: 1 })));
    expect(error).toMatchObject({ code: 'SERVER_NOT_READY', exitCode: 4 });
    expect(error.message).toMatch(/within 1 s .*the moon is blue.*waiting for the moon/s);
  });

  it('replaces the one of the same name', async () => {
    await start(serverSpec(place));
    const first = await state();
    await start(serverSpec(place, '', { fingerprint: 'program=9' }));
    const second = await state();
    expect(second.pid).not.toBe(first.pid);
    expect(second.fingerprint).toBe('program=9');
    expect(await listProcesses(place.workspace)).toHaveLength(1);
  });

  it('stays when the wait for it is interrupted, and is known', async () => {
    const interrupt = new AbortController();
    const ready = { description: 'never', check: () => Promise.resolve(interrupt.abort(new Error('Ctrl-C'))).then(() => false) };
    await expect(startProcess(serverSpec(place, '', { ready }), { ...place, signal: interrupt.signal })).rejects.toThrow('Ctrl-C');
    expect((await state()).state).toBe('running');
  });
});

describe('a port that a stranger has', () => {
  it('is never taken for the server, and its holder is named', async () => {
    const stranger = createServer().listen(place.port, '127.0.0.1');
    await once(stranger, 'listening');
    // Does not end when it cannot listen, as LocalStack does not.
    const script = `process.on('uncaughtException', () => {}); setInterval(() => {}, 1000)`;
    const error = await failure(start(serverSpec(place, script)));
    expect(error).toMatchObject({ code: 'PORT_TAKEN', exitCode: 3 });
    expect(error.message).toContain(`port ${place.port} (fake) is held by process ${process.pid}`);
    expect((await state()).state).toBe('stopped');
    const died = await failure(start(serverSpec(place, '', { ready: { description: 'never', check: () => Promise.resolve(false) } })));
    expect(died.message).toContain(`is held by process ${process.pid}`);
    expect((await ownPorts(place.workspace))(place.port)).toBe(false);
    stranger.close();
  });

  it('is ours when our server has it', async () => {
    await start(serverSpec(place));
    expect((await ownPorts(place.workspace))(place.port)).toBe(true);
  });
});

describe('a server that ends', () => {
  it('is dead, with the last words of its log', async () => {
    await start(serverSpec(place, `console.log('all is well\\n\\tat java.base/java.lang.Thread.run(Thread.java:840)\\n\\t... 3 more')`));
    const { pid } = await state();
    process.kill(pid ?? 0, 'SIGKILL');
    await dead(pid ?? 0);
    expect(await state()).toMatchObject({ state: 'dead', reason: 'died: all is well', pids: [] });
  });

  it('ends with its signal, and leaves nothing', async () => {
    await start(serverSpec(place, `process.on('SIGTERM', () => { console.log('goodbye'); process.exit(0) })`));
    const { pid } = await state();
    expect(await stopProcess(place.workspace, 'fake-server')).toBe(true);
    expect((await processTable()).has(pid ?? 0)).toBe(false);
    expect(readFileSync(`${place.workspace.logs}/fake-server.log`, 'utf8')).toContain('goodbye');
    expect(existsSync(runFile(place.workspace, 'fake-server'))).toBe(false);
    expect(await stopProcess(place.workspace, 'fake-server')).toBe(false);
  });

  it('is killed with its descendants when it does not listen, also one in a session of its own', async () => {
    const child = `require('child_process').spawn(process.execPath, ['-e', 'process.on("SIGTERM",()=>{});setInterval(()=>{},1000)'], {detached: true, stdio: 'ignore'});`;
    const script = `process.on('SIGTERM', () => {}); ${child} ${child}`;
    await start(serverSpec(place, script, { stop: { signal: 'SIGTERM', seconds: 0.3 } }));
    const { pids } = await state();
    expect(pids).toHaveLength(3);
    await stopProcess(place.workspace, 'fake-server');
    const table = await processTable();
    expect(pids.filter((pid) => table.has(pid))).toEqual([]);
  });
});

describe('whose process it is', () => {
  it('is told by its start: a pid that another process has now is never signalled', async () => {
    await start(serverSpec(place));
    const file = runFile(place.workspace, 'fake-server');
    const record = JSON.parse(readFileSync(file, 'utf8')) as { pid: number };
    await stopProcess(place.workspace, 'fake-server');
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
    await once(stranger, 'spawn');
    writeFileSync(file, JSON.stringify({ ...record, pid: stranger.pid }));
    expect((await state()).state).toBe('dead');
    expect(await stopProcess(place.workspace, 'fake-server')).toBe(false);
    expect((await processTable()).has(stranger.pid ?? 0)).toBe(true);
    stranger.kill('SIGKILL');
  });

  it('is told by its marks when its run file is gone: it is found and stopped', async () => {
    await start(serverSpec(place));
    rmSync(runFile(place.workspace, 'fake-server'));
    const found = await state();
    expect(found).toMatchObject({ state: 'running', fingerprint: 'program=1 settings=2 credentials=3' });
    expect(await stopProcess(place.workspace, 'fake-server')).toBe(true);
    expect((await processTable()).has(found.pid ?? 0)).toBe(false);
  });

  it('stays with the workspace when its folder is copied', async () => {
    await start(serverSpec(place));
    const copy = `${place.workspace.root}-copy`;
    cpSync(place.workspace.root, copy, { recursive: true });
    expect(await listProcesses(workspaceAt(copy))).toEqual([]);
    await stopProcess(workspaceAt(copy), 'fake-server');
    expect((await state()).state).toBe('running');
    expect(await answers(place.port)).toBe(true);
    rmSync(copy, { recursive: true });
  });

  it('is never lost, whenever forge is killed', async () => {
    const spec = { ...serverSpec(place), ready: undefined };
    const script = `
      import { startProcess } from ${JSON.stringify(new URL('../../../src/runtimes/process/spawn.ts', import.meta.url).href)};
      const spec = ${JSON.stringify(spec)};
      const workspace = ${JSON.stringify(place.workspace)};
      const go = () => startProcess({ ...spec, ready: { description: '', check: async () => false } }, { workspace, signal: new AbortController().signal });
      console.log('go');
      go();`;
    for (const milliseconds of [0, 10, 20, 30, 45, 60, 90]) {
      const forge = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(forge.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      forge.kill('SIGKILL');
      await once(forge, 'exit');
      // A wrapper that was on its way has the time to become the server.
      await start(serverSpec(place));
      expect(await listProcesses(place.workspace)).toHaveLength(1);
      const marked = (await markedProcesses(await processTable())).filter((entry) => entry.mark.run === runFolder(place.workspace));
      expect(marked.map((entry) => entry.pid)).toEqual([(await state()).pid]);
      await stopProcess(place.workspace, 'fake-server');
    }
  }, 60_000);
});
