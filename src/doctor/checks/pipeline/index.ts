import type { Check } from '../../check.js';
import { eventsStop } from './events-stop.js';

export const pipelineChecks: readonly Check[] = [eventsStop];
