import type { VerifyResult } from './schemas.js';

/** The legs of a proof, a line each. */
export const legLines = (legs: readonly { name: string; ok: boolean; detail: string }[]): string =>
  legs.map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'FAILED'} ${name}: ${detail}`).join('\n');

/** What a proof comes to, in a line. Without one event nothing was proven to flow. */
export function flowVerdict({ healthy, legs, topic, latency }: Pick<VerifyResult, 'healthy' | 'legs' | 'topic' | 'latency'>): string {
  if (!healthy) return `Events do not flow: ${legs.find(({ ok }) => !ok)?.name}. \`forge doctor\` says why, and how to mend it.`;
  const none = topic.events === 0 && latency === undefined;
  return none ? 'Everything stands, and no event was sent yet: `forge verify --probe` sends some and follows them.' : 'Events flow.';
}
