// Run by lock.test.ts, several at once: takes the lock, sees whether it is alone, then leaves it as a process that died would.
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { takeLock } from '../../../src/workspace/lock.js';

const [file = '', rounds = ''] = process.argv.slice(2);
const turns = `${file}.turns`;
for (let turn = 0; turn < Number(rounds);) {
  const taken = await takeLock(file, 'contend');
  if (!('release' in taken)) {
    if (readFileSync(turns, 'utf8').includes('clash')) break;
    continue;
  }
  try {
    writeFileSync(`${file}.inside`, '', { flag: 'wx' });
  } catch {
    appendFileSync(turns, 'clash\n');
    break;
  }
  appendFileSync(turns, `${++turn}\n`);
  const dead = { pid: process.pid, startTime: 'before', bootId: 'before', host: hostname(), token: `${process.pid} ${turn}` };
  writeFileSync(`${file}.dead`, JSON.stringify(dead));
  rmSync(`${file}.inside`);
  renameSync(`${file}.dead`, file);
}
