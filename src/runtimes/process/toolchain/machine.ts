import { readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Where tools are looked for; a test gives folders of its own. */
export interface Machine {
  env: NodeJS.ProcessEnv;
  home: string;
  /** `/`, or a folder that stands for it. */
  root: string;
  platform: NodeJS.Platform;
}

/** This machine. */
export const thisMachine = (): Machine => ({ env: process.env, home: os.homedir(), root: '/', platform: process.platform });

/** A system folder or file, below the machine's root. */
export const at = (machine: Machine, absolute: string): string => path.join(machine.root, absolute);

/** Folders that match `base/<any><below>`, in the order of their names; none when `base` is not there. */
export function foldersIn(base: string, below = '', matching = /^[^.]/): string[] {
  try {
    return readdirSync(base)
      .filter((name) => matching.test(name))
      .sort()
      .map((name) => path.join(base, name, below));
  } catch {
    return [];
  }
}
