import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { open, mkdir } from 'node:fs/promises';
import { waitUntil } from '../../clients/wait.js';
import { messageOf, serverError, type ForgeError } from '../../errors.js';
import { redact, Secret } from '../../workspace/secret.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { ProcessSpec } from '../types.js';
import { markEnv } from './identify.js';
import { failureLines, logFile, logSize, rotateLog } from './logs.js';
import { portTakenBy } from './ports.js';
import { waitReady } from './ready.js';
import { runFile, runFolder } from './state.js';
import { stopProcess } from './stop.js';

export interface StartContext {
  workspace: Workspace;
  signal: AbortSignal;
  /** Every port of the stack by name; tells who holds one that is taken. */
  ports?: Record<string, number>;
  waitingFor?: (what: string) => void;
}

/**
 * Becomes the server: writes who it is into file descriptor 3, in one piece, then replaces itself. So a server is known
 * from its first moment, wherever forge was killed. $1: the rest of the record; the others: command and arguments.
 */
const WRAPPER = `umask 077
started() { shift 19; echo "$1"; }
if [ -r /proc/$$/stat ]; then
  IFS= read -r stat < /proc/$$/stat
  IFS= read -r boot < /proc/sys/kernel/random/boot_id
  set -f
  start="$boot:$(started \${stat##*) })"
else
  start=$(LC_ALL=C TZ=UTC ps -o lstart= -p $$ | tr -s ' ' | sed 's/^ //; s/ $//')
fi
printf '{"pid":%s,"started":"%s",%s\\n' "$$" "$start" "$1" >&3 || exit 125
shift
exec 3>&-
exec "$@"`;

function environment(spec: ProcessSpec, workspace: Workspace): Record<string, string> {
  const own = { PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin', HOME: process.env.HOME ?? '/', LANG: 'C.UTF-8', TZ: 'UTC' };
  const given = Object.entries(spec.env).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value] as const);
  const mark = markEnv({ run: runFolder(workspace), name: spec.name, component: spec.component, fingerprint: spec.fingerprint });
  return { ...own, ...Object.fromEntries(given), ...mark };
}

/** The error for a server that ended while it was being waited for. */
async function died(spec: ProcessSpec, context: StartContext, how: string, from: number): Promise<ForgeError> {
  const { excerpt, all } = await failureLines(context.workspace, spec.name, from);
  const taken = await portTakenBy(spec, context.ports ?? {}, all, context.workspace);
  if (taken !== undefined) return taken;
  const log = all.length === 0 ? 'It wrote nothing.' : `From its log:\n${excerpt.map((line) => `  ${line}`).join('\n')}`;
  return serverError({
    code: 'SERVER_DIED',
    message: `${spec.name} ended while starting (${how}). ${log}`,
    hint: `The whole log: \`forge logs ${spec.component}\``,
  });
}

/**
 * Starts a server, detached from forge, and waits until it answers. One of the same name that still runs is stopped
 * first. Throws SERVER_DIED as soon as it ends, SERVER_NOT_READY when it does not answer in time; it is left running
 * then, and when `signal` is aborted, for a later run to find.
 */
export async function startProcess(spec: ProcessSpec, context: StartContext): Promise<void> {
  const { from, ended } = await launchProcess(spec, context);
  await waitReady(spec, context, { ended, died: (how) => died(spec, context, how, from), from });
}

/** Where the log of a new process begins, and how it ended. */
interface Launched {
  from: number;
  ended: Promise<string>;
}

/** Starts a server as `startProcess` does and leaves the waiting to whoever needs it (`awaitProcess`). */
export async function launchProcess(spec: ProcessSpec, context: StartContext): Promise<Launched> {
  const { workspace } = context;
  await stopProcess(workspace, spec.name, context.signal);
  for (const folder of [workspace.run, workspace.logs]) await mkdir(folder, { recursive: true, mode: 0o700 });
  await rotateLog(workspace, spec.name);
  const from = await logSize(workspace, spec.name);
  context.signal.throwIfAborted();
  const record = JSON.stringify({
    startedAt: new Date().toISOString(),
    name: spec.name,
    component: spec.component,
    fingerprint: spec.fingerprint,
    stop: spec.stop,
    run: runFolder(workspace),
    log: from,
  }).slice(1);
  const log = await open(logFile(workspace, spec.name), 'a', 0o600);
  const run = await open(runFile(workspace, spec.name), 'w', 0o600);
  let ended: Promise<string>;
  try {
    const child = spawn('/bin/sh', ['-c', WRAPPER, 'forge-process', record, spec.command, ...spec.args], {
      cwd: spec.cwd,
      env: environment(spec, workspace),
      detached: true,
      stdio: ['ignore', log.fd, log.fd, run.fd],
      ...(process.getuid?.() === 0 ? spec.user : {}),
    });
    ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code ?? 0}` : `signal ${signal}`));
    });
    child.unref();
    await once(child, 'spawn');
  } catch (error) {
    throw serverError({
      code: 'SERVER_NOT_STARTED',
      message: redact(`${spec.name} could not be started in ${spec.cwd}: ${messageOf(error)}`),
      hint: 'Run `forge up` again; if that does not help, remove .forge and start anew',
      cause: error,
    });
  } finally {
    await log.close();
    await run.close();
  }
  await untilRecorded(runFile(workspace, spec.name), ended, context.signal);
  return { from, ended };
}

/** Until a server has told who it is, or has ended, a probe would take one of its name that was there before for it. */
async function untilRecorded(file: string, ended: Promise<string>, signal: AbortSignal): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  const told = (): boolean => over || statSync(file, { throwIfNoEntry: false })?.size !== 0;
  await waitUntil(() => Promise.resolve(told()), { what: 'the server to tell who it is', everyMs: 2, signal });
}

/** Waits for a server that runs already, one that an earlier, interrupted run has started. */
export async function awaitProcess(spec: ProcessSpec, context: StartContext): Promise<void> {
  await waitReady(spec, context, { died: (how) => died(spec, context, how, 0) });
}
