import { z } from 'zod';
import { configSchema } from '../config/schema.js';

const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const name = z.string().regex(NAME, 'expected lower-case letters, digits, dots and hyphens, such as kafka-ready');

const UNIT_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const timeout = z
  .string('expected a duration such as "60s" or "5m"')
  .regex(DURATION, 'expected a duration such as 60s or 5m')
  .transform((text) => {
    const [, amount, unit] = DURATION.exec(text) ?? [];
    return Number(amount) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  })
  .refine((seconds) => seconds > 0 && seconds <= 86_400, 'expected a duration of more than nothing and at most 24h');

/** What can be chosen, without `auto`: a `when` is about what a choice came to. */
const chosen = (field: 'runtime' | 'engine' | 'catalog') =>
  z.enum(configSchema.shape[field].unwrap().options.filter((option) => option !== 'auto'));
const oneOrMore = <T extends z.ZodType<string>>(value: T) =>
  z.preprocess((given): unknown => (Array.isArray(given) ? given : [given]), z.array(value).min(1));

const when = z
  .strictObject({
    stack: oneOrMore(name),
    runtime: oneOrMore(chosen('runtime')),
    engine: oneOrMore(chosen('engine')),
    catalog: oneOrMore(chosen('catalog')),
  })
  .partial();

/** One task of a play. */
export const taskSchema = z.strictObject({
  id: name,
  module: z.string(),
  needs: z.array(z.string()).default([]),
  when: when.default({}),
  timeout: timeout.optional(),
  with: z.record(z.string(), z.unknown()).default({}),
});

/** A playbook: plays in order. Their tasks are checked one by one, so that a wrong one does not hide the others. */
export const playbookSchema = z
  .array(z.strictObject({ play: z.string().min(1), tasks: z.array(z.unknown()).min(1) }), 'expected a list of plays')
  .min(1);

/** stack.yaml: what the stack is, and its playbooks in order. */
export const stackSchema = z.strictObject({
  name,
  title: z.string().min(1),
  description: z.string().min(1),
  playbooks: z.array(name).min(1),
});

/** The keys that may stand in each kind of mapping, to suggest one for a key that may not. */
export const KEYS = {
  stack: Object.keys(stackSchema.shape),
  play: ['play', 'tasks'],
  task: Object.keys(taskSchema.shape),
  when: Object.keys(when.shape),
};
