import type { Check } from '../../check.js';
import { driftCheck } from '../../drift.js';
import { kafkaAdvertised } from './kafka-advertised.js';
import { kafkaAnswers } from './kafka-answers.js';
import { kafkaRoundTrip } from './kafka-round-trip.js';
import { topicSettings } from './topic-settings.js';

export const kafkaChecks: readonly Check[] = [
  kafkaAnswers,
  kafkaAdvertised,
  driftCheck({
    id: 'topic-missing',
    group: 'kafka',
    title: 'The topic is there',
    modules: ['kafka.topic'],
    needs: ['kafka-answers', 'kafka-advertised'],
    component: 'kafka',
    state: 'missing',
    wrong: () => 'The topic of the events is missing',
  }),
  topicSettings,
  kafkaRoundTrip,
];
