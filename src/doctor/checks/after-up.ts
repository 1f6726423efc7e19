import type { Check } from '../check.js';

/** Before the first `up` nothing of it can be missing. */
export const afterUp = (check: Check): Check => ({ ...check, concerns: ({ isKnown }) => isKnown });
