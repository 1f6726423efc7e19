import type { StackContext } from '../workspace/context.js';
import { usageError } from '../errors.js';
import type { Component, ProcessPart } from './component.js';
import { risingwave } from './risingwave/risingwave.js';
import { flink } from './flink/flink.js';
import { icebergRest } from './iceberg-rest/iceberg-rest.js';
import { kafka } from './kafka/kafka.js';
import { localstack } from './localstack/localstack.js';
import { polaris } from './polaris/polaris.js';
import { postgresql } from './postgresql/postgresql.js';

const all: Component[] = [kafka, localstack, postgresql, polaris, icebergRest, flink, risingwave];

/** Every component that forge knows. */
export const allComponents = (): readonly Component[] => all;

/** The component of that name; throws a usage error that lists the names. */
export function componentOf(name: string): Component {
  const component = all.find((candidate) => candidate.name === name);
  if (component !== undefined) return component;
  throw usageError({
    code: 'UNKNOWN_COMPONENT',
    message: `There is no component ${name}`,
    hint: `The components are ${all.map((candidate) => candidate.name).join(', ')}`,
  });
}

/** How a component runs as processes. */
export function processPartOf(name: string): ProcessPart {
  const { process } = componentOf(name);
  if (process !== undefined) return process;
  throw usageError({
    code: 'NOT_A_PROCESS',
    message: `${name} does not run as a process`,
    hint: 'Choose another runtime (--runtime k3d), or another engine (--engine flink)',
  });
}

/** The components that a stack consists of, with the catalog and the engine that were chosen. */
export function componentsOf(context: Pick<StackContext, 'catalog' | 'engine'>): Component[] {
  const chosen: string[] = ['kafka', 'localstack', 'postgresql', context.catalog, context.engine];
  return all.filter((component) => chosen.includes(component.name));
}
