import { expect, it } from 'vitest';
import { modules } from '../../src/modules/index.js';
import { casesIn, describeContract } from '../helpers/contract.js';
import { openTestWorld } from '../helpers/world.js';

const cases = await casesIn(new URL('contract/', import.meta.url));
// Those that need a cluster are run by the kubernetes project.
const onCluster = await casesIn(new URL('../kubernetes/contract/', import.meta.url));

describeContract(cases, openTestWorld);
// It waits for what another task has applied: there is no fresh one. test/kubernetes/{ready,failures}.test.ts
const ELSEWHERE = ['k8s.ready'];

it('every module has a case, and every case a registered module', () => {
  const covered = new Set([...[...cases, ...onCluster].map(({ module }) => module.name), ...ELSEWHERE]);
  expect([...covered].sort()).toEqual([...modules.keys()].sort());
});
