import { modules } from '../modules/index.js';
import { loadStack } from '../playbook/load.js';
import { renderArguments } from '../playbook/render.js';
import { runGraph } from '../playbook/run.js';
import type { OnEvent, RunResult, TaskResult } from '../playbook/events.js';
import { holds, type Stack, type Task } from '../playbook/task.js';
import { RISINGWAVE_DATABASE, type Pipeline, type Running } from '../doctor/pipeline.js';
import type { ObjectKind, ObjectName } from '../engines/risingwave/statements.js';
import type { StackContext } from '../workspace/context.js';
import { templateValues } from '../workspace/values.js';

export interface GraphRun {
  stack: StackContext;
  definition: Stack;
  signal: AbortSignal;
  onEvent?: OnEvent;
  onResult?: (result: TaskResult) => void;
}

/** Reads a stack's playbooks with the modules that forge has. */
export const loadDefinition = (packageRoot: string, name: string): Promise<Stack> => loadStack(packageRoot, name, modules);

/** A task's arguments with their templates filled in. */
export const renderArgs = (task: Task, stack: StackContext): unknown => renderArguments(task, templateValues(stack));

/** Brings the stack up, or with `check` says what that would change. */
export const runStack = ({ definition, ...run }: GraphRun, mode: 'apply' | 'check'): Promise<RunResult> =>
  runGraph({ tasks: definition.tasks, modules, renderArgs, mode, ...run });

/** Applies some of a stack's tasks only. */
export const runTasks = ({ stack, tasks, signal }: { stack: StackContext; tasks: Task[]; signal: AbortSignal }): Promise<RunResult> =>
  runGraph({ tasks, modules, stack, signal, renderArgs, mode: 'apply' });

/** The topic, what the engine runs, the views and tables that the playbooks declare for this selection. */
export function pipelineOf(definition: Stack, stack: StackContext): Pipeline {
  const argsOf = (module: string): Record<string, unknown>[] =>
    definition.tasks
      .filter((task) => task.module === module && holds(task.when, stack))
      .map((task) => renderArgs(task, stack) as Record<string, unknown>);
  const text = (value: unknown): string => String(value);
  const objects = (module: string, kind: ObjectKind): ObjectName[] => argsOf(module).map((args) => ({ kind, name: text(args['name']) }));
  const running: Running =
    stack.engine === 'flink'
      ? { engine: 'flink', job: text(argsOf('flink.job')[0]?.['name']) }
      : {
          engine: 'risingwave',
          objects: [
            ...objects('risingwave.source', 'source'),
            ...objects('risingwave.view', 'materialized view'),
            ...objects('risingwave.sink', 'sink'),
          ],
        };
  return {
    topic: text(argsOf('kafka.topic')[0]?.['name']),
    running,
    views: [
      ...argsOf('sql.view').map((args) => ({
        name: text(args['name']),
        database: text(args['database']),
        columns: Object.keys(args['columns'] as object),
      })),
      ...argsOf('risingwave.view').map((args) => ({
        name: text(args['name']),
        database: RISINGWAVE_DATABASE,
        columns: args['columns'] as string[],
      })),
    ],
    tables: argsOf('iceberg.table').map((args) => ({
      name: text(args['name']),
      namespace: text(args['namespace']),
      columns: (args['columns'] as { name: string }[]).map(({ name }) => name),
    })),
  };
}
