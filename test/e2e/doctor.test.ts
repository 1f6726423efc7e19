import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorResult, UpResult } from '../../src/cli/schemas.js';
import { dataFaults } from '../helpers/faults/data.js';
import type { Fault } from '../helpers/faults/fault.js';
import { machineFaults } from '../helpers/faults/machine.js';
import { expectHealthyRuns, provoke } from '../helpers/faults/provoke.js';
import { serversFaults } from '../helpers/faults/servers.js';
import { sandbox, type Sandbox } from '../helpers/forge.js';
import { expectAgreement, play } from '../helpers/sums.js';

const FAULTS: readonly Fault[] = [...machineFaults, ...serversFaults, ...dataFaults];

let box: Sandbox;
beforeAll(async () => {
  box = await sandbox();
  await box.ok<UpResult>(['up', '--catalog', 'iceberg-rest']);
  await expectHealthyRuns(box, 1);
  await play(box, 300);
  await expectAgreement(box, 'before any fault');
});
afterAll(() => box.remove());

test('a healthy stack: 20 runs, no finding, and nothing that could not be told', () => expectHealthyRuns(box, 20));

describe('what goes wrong is the first finding, and is mended', () => {
  // By title: vitest cuts the value of a field off.
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))('%s', (_, fault) => provoke(box, fault));
});

test('a check that there is not, and one that is named without --fix, are bad usage', async () => {
  const unknown = await box.forge<ErrorResult>(['doctor', '--fix', 'no-such-check', '--json']);
  expect([unknown.code, unknown.json.error.code]).toEqual([2, 'UNKNOWN_CHECK']);
  const idle = await box.forge<ErrorResult>(['doctor', 'server-down', '--json']);
  expect([idle.code, idle.json.error.code]).toEqual([2, 'FIX_NEEDED']);
});
