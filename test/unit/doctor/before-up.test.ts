import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { packageRoot } from '../../../src/cli/paths.js';
import { machineChecksOfStack } from '../../../src/doctor/checks/machine/index.js';
import type { Report } from '../../../src/doctor/examine.js';
import { examineStack } from '../../../src/lifecycle/doctor.js';
import { placeOf } from '../../helpers/doctor-place.js';
import { scratch } from '../../helpers/folders.js';

let folder: string;
beforeEach(() => {
  folder = scratch();
  // Whatever this machine has: no context by accident.
  vi.stubEnv('KUBECONFIG', path.join(folder, 'none'));
});
afterEach(() => vi.unstubAllEnvs());

const look = (flags: Record<string, string>): Promise<Report> =>
  examineStack({
    folder,
    cacheDir: path.join(folder, 'cache'),
    packageRoot: packageRoot(),
    flags,
    only: 'machine',
    signal: new AbortController().signal,
  });

test.each<[string, Record<string, string>, RegExp, RegExp]>([
  ['a cluster that nobody has named', { runtime: 'kubernetes' }, /needs to be told which cluster/, /--context NAME/],
  ['RisingWave as a process', { runtime: 'process', engine: 'risingwave' }, /runs on Kubernetes only/, /--engine flink/],
])('before the first up: %s is told, as `forge up` would', async (_, flags, cause, remedy) => {
  const { findings } = await look(flags);
  const found = findings.find(({ id }) => id === 'up-refused');
  expect(found).toMatchObject({
    severity: 'error',
    cause: expect.stringMatching(cause) as string,
    remedy: expect.stringMatching(remedy) as string,
  });
});

test('before the first up nothing has to be installed, and nothing would be: that is what up is for', async () => {
  const { findings, passed, couldNotRun } = await look({ runtime: 'process', catalog: 'iceberg-rest' });
  expect(findings.filter(({ fix }) => fix !== undefined)).toEqual([]);
  const ids = [...findings, ...couldNotRun].map(({ id }) => id).concat(passed);
  expect(ids).toContain('toolchain-missing');
  expect(ids.filter((id) => id === 'packages-missing' || id === 'up-refused')).toEqual([]);
});

test('after it, packages that were removed are missing', async () => {
  const packages = machineChecksOfStack.find(({ id }) => id === 'packages-missing')!;
  const place = placeOf({ tasks: [{ id: 'kafka-packages', module: 'packages', state: 'missing' }] });
  expect(packages.concerns?.(place)).toBe(true);
  expect(await packages.look(place)).toHaveLength(1);
});
