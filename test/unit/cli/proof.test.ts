import { describe, expect, test } from 'vitest';
import { flowVerdict } from '../../../src/cli/proof.js';

const leg = (name: string, ok: boolean) => ({ name, ok, detail: '' });

describe('the verdict of a proof', () => {
  test.each([
    ['events that arrive', { healthy: true, legs: [], topic: { events: 3 } }, /^Events flow\.$/],
    ['no event at all proves no flow', { healthy: true, legs: [], topic: { events: 0 } }, /no event was sent yet: `forge verify --probe`/],
    ['the first broken leg', { healthy: false, legs: [leg('topic', true), leg('job', false)], topic: { events: 0 } }, /do not flow: job\./],
  ])('%s', (_what, proof, says) => {
    expect(flowVerdict(proof)).toMatch(says);
  });
});
