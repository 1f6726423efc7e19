import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { removeAll } from '../../workspace/atomic.js';
import type { Workspace } from '../../workspace/workspace.js';
import type { ProcessSpec, ProcessState } from '../types.js';
import { isAlive, markedProcesses, processTable, residentBytes, treeOf, type ProcessEntry, type ProcessTable } from './identify.js';
import { lastLogLines } from './logs.js';

/** What .forge/run/NAME.json says; a process writes it about itself before it becomes the server. */
export interface RunRecord {
  pid: number;
  started: string;
  startedAt: string;
  name: string;
  component: string;
  fingerprint: string;
  stop: ProcessSpec['stop'];
  /** The folder of this file when it was written. */
  run: string;
  /** Size of its log when it was started. */
  log: number;
}

/** A living process of this workspace; `record` is missing when only its marks tell what it is. */
export interface OwnProcess extends ProcessEntry {
  name: string;
  component: string;
  fingerprint: string;
  record?: RunRecord;
  tree: ProcessEntry[];
}

export const runFile = (workspace: Workspace, name: string): string => join(workspace.run, `${name}.json`);

/** The folder of run files as every process of the workspace knows it, whichever way a person came to it. */
export function runFolder(workspace: Workspace): string {
  try {
    return realpathSync(workspace.run);
  } catch {
    return workspace.run;
  }
}

function readRecord(file: string): RunRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as RunRecord;
    return Number.isInteger(record.pid) && record.pid > 1 && typeof record.started === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** A record that came here with a copy of its folder belongs to the folder that it names, while that is still there. */
function isCopied(record: RunRecord, folder: string): boolean {
  return record.run !== folder && existsSync(join(record.run, `${record.name}.json`));
}

function readRecords(workspace: Workspace): { records: RunRecord[]; names: string[] } {
  const folder = runFolder(workspace);
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  } catch {
    files = [];
  }
  const records = files.map((file) => readRecord(join(folder, file))).filter((record) => record !== undefined);
  return { records: records.filter((record) => !isCopied(record, folder)), names: files.map((file) => file.slice(0, -'.json'.length)) };
}

/** The living process that a run file names: found without reading the environment of every process of the machine. */
export async function recordedProcess(workspace: Workspace, name: string): Promise<OwnProcess | undefined> {
  const record = readRecord(runFile(workspace, name));
  if (record === undefined || record.name !== name || isCopied(record, runFolder(workspace))) return undefined;
  const recent = recordedIn(await processTable({ recent: true }), record);
  // It may have been started, or have ended, since that table was read.
  if (recent !== undefined && (await isAlive(recent.pid, recent.started))) return recent;
  return recordedIn(await processTable(), record);
}

function recordedIn(table: ProcessTable, record: RunRecord): OwnProcess | undefined {
  const entry = table.get(record.pid);
  if (entry === undefined || entry.started !== record.started) return undefined;
  const { name, component, fingerprint } = record;
  return { ...entry, name, component, fingerprint, record, tree: treeOf(table, entry.pid) };
}

/** Every living process of this workspace: those of the run files, and strays that only their marks tell of. */
export async function ownProcesses(workspace: Workspace): Promise<OwnProcess[]> {
  const table = await processTable();
  const { records } = readRecords(workspace);
  const own = records.map((record) => recordedIn(table, record)).filter((process) => process !== undefined);
  const folder = runFolder(workspace);
  const strays = (await markedProcesses(table)).filter((entry) => entry.mark.run === folder);
  const strayPids = new Set(strays.map((entry) => entry.pid));
  for (const stray of strays) {
    // Children inherit the marks of their parent; only the topmost one counts.
    if (strayPids.has(stray.parent) || own.some((process) => process.tree.some((entry) => entry.pid === stray.pid))) continue;
    const { name, component, fingerprint } = stray.mark;
    own.push({
      pid: stray.pid,
      parent: stray.parent,
      started: stray.started,
      name,
      component,
      fingerprint,
      tree: treeOf(table, stray.pid),
    });
  }
  return own;
}

async function describe(process: OwnProcess, memory: boolean): Promise<ProcessState> {
  const pids = process.tree.map((entry) => entry.pid);
  const base = { name: process.name, component: process.component, pid: process.pid, pids, fingerprint: process.fingerprint };
  return {
    ...base,
    state: 'running',
    ...(memory ? { residentBytes: await residentBytes(pids) } : {}),
    ...(process.record === undefined
      ? { reason: 'was started by a run of forge that was killed' }
      : { startedAt: process.record.startedAt }),
  };
}

/** The line of its log that says most about its end: an error among the last ones, else the last that is no frame of a stack. */
async function lastWords(workspace: Workspace, name: string, from: number): Promise<string | undefined> {
  const lines = await lastLogLines(workspace, name, 20, from);
  const line =
    lines.findLast((candidate) => /\b(ERROR|FATAL|PANIC)\b|OutOfMemoryError/.test(candidate)) ??
    lines.findLast((candidate) => !/^\s*(at |\.\.\. \d+ more)/.test(candidate));
  return line?.trim().slice(0, 200);
}

/** Every process that this workspace has or had: `running`, or `dead` when its run file is there and it is not. */
export async function listProcesses(workspace: Workspace, { memory = false } = {}): Promise<ProcessState[]> {
  const own = await ownProcesses(workspace);
  const states = await Promise.all(own.map((process) => describe(process, memory)));
  const { records, names } = readRecords(workspace);
  for (const name of names) {
    if (states.some((state) => state.name === name)) continue;
    const record = records.find((candidate) => candidate.name === name);
    if (record === undefined && existsSync(runFile(workspace, name)) && statSync(runFile(workspace, name)).size > 0) continue;
    const last = await lastWords(workspace, name, record?.log ?? 0);
    states.push({
      name,
      component: record?.component ?? name,
      state: 'dead',
      pids: [],
      reason: last === undefined ? 'died' : `died: ${last}`,
      ...(record === undefined ? {} : { fingerprint: record.fingerprint, startedAt: record.startedAt }),
    });
  }
  return states.sort((a, b) => a.name.localeCompare(b.name));
}

/** The state of one process by its name. */
export async function processState(workspace: Workspace, name: string): Promise<ProcessState> {
  const recorded = await recordedProcess(workspace, name);
  if (recorded !== undefined) return describe(recorded, false);
  const states = (await listProcesses(workspace)).filter((state) => state.name === name);
  return (
    states.find((state) => state.state === 'running') ??
    states[0] ?? { name, component: name, state: 'stopped', pids: [], reason: 'was not running' }
  );
}

/** True while any of these still lives. */
export async function anyAlive(entries: ProcessEntry[]): Promise<boolean> {
  for (const entry of entries) if (await isAlive(entry.pid, entry.started)) return true;
  return false;
}

/** Forgets a process that is not there any more. */
export async function removeRunFile(workspace: Workspace, name: string): Promise<void> {
  await removeAll(runFile(workspace, name));
}
